// Package duplicate remembers which message went to which mailbox, so that a
// second delivery of it is noticed: deliver.db.
//
// A key is three texts, each ended by a NUL: the Message-ID, the target, and
// the Date field of the message. The target is the unique id of a mailbox, or a
// name that begins with a dot for what Sieve scripts remember. The value is the
// time of the delivery and the UID the message got, eight octets each, least
// significant first (Cyrus's imap/duplicate.c).
//
// What is marked is known to the process at once, and written a moment later
// together with what others marked meanwhile: a mark that a crash loses costs
// nothing but a duplicate.
package duplicate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/log"
)

// ErrFormat is the error of a record that cannot be read.
var ErrFormat = errors.New("deliver.db record is damaged")

// Key names one delivery.
type Key struct {
	ID   string // Message-ID, with its angle brackets
	To   string // unique id of the mailbox, or ".USER@internal.sieve." and the like
	Date string // the Date field as it stands in the message
}

// Mark is what is known of a delivery.
type Mark struct {
	Time time.Time // to the second
	UID  uint32    // 0 where no mailbox has the message
}

// appendTo appends the key as it is stored. A NUL cannot occur in a header, and
// would end the field for Cyrus too.
func (k Key) appendTo(b []byte) []byte {
	for _, s := range [...]string{k.ID, k.To, k.Date} {
		b = append(b, s...)
		b = append(b, 0)
	}
	return b
}

// parseKey reads a stored key.
func parseKey(b []byte) (k Key, err error) {
	f := bytes.Split(b, []byte{0})
	if len(f) != 4 || len(f[3]) != 0 {
		return k, fmt.Errorf("key %q: %w", b, ErrFormat)
	}
	return Key{string(f[0]), string(f[1]), string(f[2])}, nil
}

const (
	oldMark = 8  // the time alone
	newMark = 16 // time and UID
)

func (m Mark) bytes() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(m.Time.Unix()))
	return binary.LittleEndian.AppendUint64(b, uint64(m.UID))
}

// parseMark reads a value; that of an old Cyrus has no UID.
func parseMark(b []byte) (m Mark, err error) {
	if len(b) != oldMark && len(b) != newMark {
		return m, fmt.Errorf("value of %d octets: %w", len(b), ErrFormat)
	}
	m.Time = time.Unix(int64(binary.LittleEndian.Uint64(b)), 0)
	if len(b) == newMark {
		m.UID = uint32(binary.LittleEndian.Uint64(b[oldMark:]))
	}
	return m, nil
}

// Options say where the database is.
type Options struct {
	Kind string // duplicate_db: the engine of a new file
	Path string // duplicate_db_path
}

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{Kind: cfg.Str("duplicate_db"), Path: cfg.Str("duplicate_db_path")}
	if o.Path == "" {
		o.Path = filepath.Join(cfg.Dir(), "deliver.db")
	}
	return o
}

// DB is the database. It is safe for concurrent use.
type DB struct {
	db kv.DB

	mu      sync.Mutex
	changed sync.Cond
	claims  map[string]chan struct{} // deliveries under way, by stored key
	queue   map[string]Mark          // marked and not written
	writing map[string]Mark          // being written
	closed  bool
	done    chan struct{} // the writer has ended
}

// Open opens the database, and makes it where there is none.
func Open(o Options) (*DB, error) {
	db, err := cyrusdb.Open(o.Kind, o.Path, cyrusdb.Create)
	if err != nil {
		return nil, err
	}
	return New(db), nil
}

// New is the database in db, which Close closes.
func New(db kv.DB) *DB {
	d := &DB{db: db, claims: map[string]chan struct{}{}, queue: map[string]Mark{}, done: make(chan struct{})}
	d.changed.L = &d.mu
	go d.write()
	return d
}

// Close writes what is marked and closes the database.
func (d *DB) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.changed.Signal()
	<-d.done
	return d.db.Close()
}

// Check says whether k was delivered, and how.
func (d *DB) Check(k Key) (Mark, bool, error) {
	key := k.appendTo(nil)
	d.mu.Lock()
	m, ok := d.remembered(string(key))
	d.mu.Unlock()
	if ok {
		return m, true, nil
	}
	return d.stored(key)
}

// remembered is the mark of a key that the file may not have yet. The lock is
// held.
func (d *DB) remembered(key string) (Mark, bool) {
	m, ok := d.queue[key]
	if !ok {
		m, ok = d.writing[key]
	}
	return m, ok
}

func (d *DB) stored(key []byte) (Mark, bool, error) {
	v, err := d.db.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return Mark{}, false, nil
	}
	if err != nil {
		return Mark{}, false, err
	}
	m, err := parseMark(v)
	return m, err == nil, err
}

// Claim begins a delivery. When there was one, dup is true. Otherwise the
// caller delivers and then calls finish, with the mark or nil when it failed;
// who claims the same key meanwhile waits for that. It is what the mailbox's
// lock is in Cyrus: of two deliveries at the same time one is the duplicate.
func (d *DB) Claim(k Key) (dup bool, finish func(*Mark), err error) {
	key := string(k.appendTo(nil))
	d.mu.Lock()
	for {
		if _, ok := d.remembered(key); ok {
			d.mu.Unlock()
			return true, nil, nil
		}
		other, ok := d.claims[key]
		if !ok {
			break
		}
		d.mu.Unlock()
		<-other
		d.mu.Lock()
	}
	mine := make(chan struct{})
	d.claims[key] = mine
	d.mu.Unlock()
	finish = func(m *Mark) {
		d.mu.Lock()
		delete(d.claims, key)
		if m != nil && !d.closed {
			d.queue[key] = *m
		}
		d.mu.Unlock()
		d.changed.Signal()
		close(mine)
	}
	if _, dup, err = d.stored([]byte(key)); dup || err != nil {
		finish(nil)
		return dup, nil, err
	}
	return false, finish, nil
}

// Mark stores that k was delivered.
func (d *DB) Mark(k Key, m Mark) {
	d.mu.Lock()
	d.queue[string(k.appendTo(nil))] = m
	d.mu.Unlock()
	d.changed.Signal()
}

// pause is what follows a write of marks: a mark that comes after a quiet time
// is written at once, and under load the file costs ten transactions a second.
// It bounds how long another process may not see a mark.
const pause = 100 * time.Millisecond

// write stores what is marked until the end.
func (d *DB) write() {
	defer close(d.done)
	for {
		d.mu.Lock()
		for len(d.queue) == 0 && !d.closed {
			d.changed.Wait()
		}
		if len(d.queue) == 0 {
			d.mu.Unlock()
			return
		}
		d.writing, d.queue = d.queue, map[string]Mark{}
		d.mu.Unlock()
		if err := d.store(d.writing); err != nil {
			log.Err("DBERROR: duplicate delivery: marks not stored: %v", err)
		}
		d.mu.Lock()
		d.writing = nil
		last := d.closed
		d.mu.Unlock()
		if !last {
			time.Sleep(pause)
		}
	}
}

func (d *DB) store(marks map[string]Mark) error {
	return d.db.Update(func(tx kv.Tx) error {
		for key, m := range marks {
			if err := tx.Put([]byte(key), m.bytes()); err != nil && !errors.Is(err, kv.ErrTooLarge) {
				return err
			}
		}
		return nil
	})
}
