// Package twoskip is Cyrus's twoskip database: one file, a skip list with two
// pointers on its lowest level, so that the committed state survives while a
// transaction writes.
//
// A reader holds a shared lock of the file for one Get, or for one handful of
// records of a Scan; a writer an exclusive one for an Update. The locks are
// those of Cyrus's programs, which may work on the file at the same time.
//
// docs/format/twoskip.md has the layout.
package twoskip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// DB is an open file. Goroutines that use the same DB wait for each other.
type DB struct {
	path  string
	flags kv.Flags

	mu sync.Mutex
	t  *file // nil when closed
}

// Open opens the file path.
func Open(path string, flags kv.Flags) (*DB, error) {
	db := &DB{path: path, flags: flags}
	if err := db.reopen(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// Whoever opens a file that is no twoskip shall hear of it now.
	if err := db.read(func(*file) error { return nil }); err != nil {
		return nil, errors.Join(fmt.Errorf("open %w", err), db.Close())
	}
	return db, nil
}

// reopen opens the file that bears the name now.
func (db *DB) reopen() error {
	mode := os.O_RDWR
	if db.flags&kv.ReadOnly != 0 {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(db.path, mode, 0)
	if errors.Is(err, os.ErrNotExist) {
		if db.flags&kv.Create == 0 {
			return kv.ErrNotFound
		}
		f, err = mappedfile.Create(db.path, os.O_RDWR, 0o644)
	}
	if err != nil {
		return err
	}
	m, err := mappedfile.NewMap(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	db.t = &file{f: f, m: m}
	return nil
}

// enter locks the file and brings it up to date, mended if needed.
func (db *DB) enter(mode lock.Mode) error {
	for {
		if db.t == nil {
			return kv.ErrClosed
		}
		if err := lock.Wait(context.Background(), db.t.f, mode); err != nil {
			return err
		}
		ok, err := lock.Current(db.t.f)
		if err == nil && !ok {
			// Checkpointed by somebody.
			old := db.t
			if err = db.reopen(); err == nil {
				if err = old.close(); err == nil {
					continue
				}
			}
		}
		if err == nil {
			ok, err = db.settle(mode)
		}
		if err != nil {
			return errors.Join(err, lock.Release(db.t.f))
		}
		if ok {
			return nil
		}
	}
}

// settle reads the header and mends what an unfinished transaction left. It is
// not ok when the file must be locked again.
func (db *DB) settle(mode lock.Mode) (ok bool, err error) {
	t := db.t
	if err := t.m.Refresh(); err != nil {
		return false, err
	}
	if len(t.m.Bytes()) == 0 {
		// Just made, or its maker died.
		if db.flags&(kv.Create|kv.ReadOnly) != kv.Create {
			return false, kv.ErrNotFound
		}
		return false, t.formatNew()
	}
	if err := t.load(); err != nil {
		return false, err
	}
	if t.clean() {
		return true, nil
	}
	if db.flags&kv.ReadOnly != 0 {
		// Readable as far as it is committed, when that much is there.
		if uint64(len(t.m.Bytes())) < t.h.size {
			return false, fmt.Errorf("%s: %w: shorter than its header says", db.path, kv.ErrCorrupt)
		}
		return true, nil
	}
	if mode == lock.Exclusive {
		replaced, err := t.recover()
		return !replaced && err == nil, err
	}
	if err := lock.Release(t.f); err != nil {
		return false, err
	}
	if err := db.enter(lock.Exclusive); err != nil {
		return false, err
	}
	return false, lock.Release(db.t.f)
}

// formatNew formats a new file, unless somebody else does. The lock is given back first
// and not upgraded: two who upgrade wait for each other.
func (t *file) formatNew() error {
	if err := lock.Release(t.f); err != nil {
		return err
	}
	if err := lock.Wait(context.Background(), t.f, lock.Exclusive); err != nil {
		return err
	}
	st, err := t.f.Stat()
	if err == nil && st.Size() == 0 {
		err = t.format(1)
	}
	return errors.Join(err, lock.Release(t.f))
}

func (db *DB) leave() error { return lock.Release(db.t.f) }

// read runs fn under a shared lock.
func (db *DB) read(fn func(*file) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.enter(lock.Shared); err != nil {
		return err
	}
	return errors.Join(fn(db.t), db.leave())
}

// Get returns the value of key or kv.ErrNotFound.
func (db *DB) Get(key []byte) (val []byte, err error) {
	err = db.read(func(t *file) error {
		val, err = t.value(key)
		return err
	})
	return val, err
}

// eachLock is how many keys GetEach looks up under one lock.
const eachLock = 256

// GetEach is kv.EachGetter: many keys cost few locks.
func (db *DB) GetEach(keys [][]byte, fn func(i int, val []byte) error) error {
	for first := 0; first < len(keys); first += eachLock {
		some := keys[first:min(first+eachLock, len(keys))]
		vals := make([][]byte, len(some))
		err := db.read(func(t *file) error {
			for i, k := range some {
				v, err := t.value(k)
				if err != nil && !errors.Is(err, kv.ErrNotFound) {
					return err
				}
				vals[i] = v
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, v := range vals {
			if v == nil {
				continue // a value that is there is never nil
			}
			if err := fn(first+i, v); err != nil {
				return kv.Scanning(err)
			}
		}
	}
	return nil
}

func (t *file) value(key []byte) ([]byte, error) {
	var p position
	if err := t.find(key, &p); err != nil {
		return nil, err
	}
	if !p.found {
		return nil, kv.ErrNotFound
	}
	if err := p.rec.checkTail(t.m.Bytes()); err != nil {
		return nil, fmt.Errorf("%s: %w", t.f.Name(), err)
	}
	return append([]byte{}, p.rec.val...), nil
}

// handful is how many octets of records a Scan takes under one lock.
const handful = 64 << 10

// row is a record outside the lock.
type row struct{ key, val []byte }

// Scan shows the records of each moment: it lets others write between
// handfuls.
func (db *DB) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return db.scan(prefix, prefix, fn)
}

// ScanFrom shows the records of each moment, as Scan does.
func (db *DB) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	return db.scan(start, nil, fn)
}

func (db *DB) scan(start, prefix []byte, fn func(k, v []byte) error) error {
	for {
		var rows []row
		var more bool
		err := db.read(func(t *file) (err error) {
			rows, more, err = t.rows(start, prefix)
			return err
		})
		for _, r := range rows {
			if err := fn(r.key, r.val); err != nil {
				return kv.Scanning(err)
			}
		}
		if err != nil || !more {
			return err
		}
		start = append(bytes.Clone(rows[len(rows)-1].key), 0)
	}
}

// rows returns a handful of records from start on. Those before a damaged one
// come with the error.
func (t *file) rows(start, prefix []byte) (rows []row, more bool, err error) {
	var p position
	if err := t.find(start, &p); err != nil {
		return nil, false, err
	}
	room := handful
	err = t.walk(p.back[0], func(r *record) (bool, error) {
		if !bytes.HasPrefix(r.key, prefix) {
			return false, nil
		}
		if err := r.checkTail(t.m.Bytes()); err != nil {
			return false, err
		}
		b := append(append(make([]byte, 0, len(r.key)+len(r.val)), r.key...), r.val...)
		rows = append(rows, row{b[:len(r.key):len(r.key)], b[len(r.key):]})
		room -= len(b) + 32
		more = room <= 0
		return !more, nil
	})
	return rows, more && err == nil, err
}

// Update holds the exclusive lock while fn runs. Its changes are written when
// it has returned, so a failing fn touches nothing.
func (db *DB) Update(fn func(kv.Tx) error) error {
	if db.flags&kv.ReadOnly != 0 {
		return fmt.Errorf("%s: %w", db.path, kv.ErrReadOnly)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.enter(lock.Exclusive); err != nil {
		return err
	}
	// Also when fn panics.
	defer db.leave()
	x := &tx{t: db.t, changes: map[string]*[]byte{}}
	if err := fn(x); err != nil {
		return err
	}
	if err := x.apply(); err != nil {
		// What is written already is not committed. If it cannot be undone
		// now, the next one to lock the file does.
		return errors.Join(err, db.t.relink(db.t.h.size))
	}
	if s := db.t.h.size; s > minRewrite && s > 2*db.t.h.repackSize {
		// The update is through: a failure here only leaves the file large.
		_ = db.t.checkpoint()
	}
	return nil
}

// Close closes the file.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.t == nil {
		return nil
	}
	t := db.t
	db.t = nil
	return t.close()
}

// Consistent checks the whole file. The error says what is wrong.
func (db *DB) Consistent() error {
	return db.read((*file).consistent)
}

// Checkpoint rewrites the file without what is no longer used.
func (db *DB) Checkpoint() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.enter(lock.Exclusive); err != nil {
		return err
	}
	return errors.Join(db.t.checkpoint(), db.leave())
}

// Dump prints the file's structure as cyr_dbtool dump does.
func (db *DB) Dump(w io.Writer, detail int) error {
	return db.read(func(t *file) error { return t.dump(w, detail) })
}

// tx is changes over a file; a nil value is a removal.
type tx struct {
	t       *file
	changes map[string]*[]byte
}

func (x *tx) Get(key []byte) ([]byte, error) {
	if v, ok := x.changes[string(key)]; ok {
		if v == nil {
			return nil, kv.ErrNotFound
		}
		return append([]byte{}, *v...), nil
	}
	return x.t.value(key)
}

func (x *tx) Put(k, v []byte) error {
	if len(k) == 0 {
		return fmt.Errorf("empty key: %w", kv.ErrTooLarge)
	}
	val := append([]byte{}, v...)
	x.changes[string(k)] = &val
	return nil
}

func (x *tx) Delete(k []byte) error {
	x.changes[string(k)] = nil
	return nil
}

// sorted are the changed keys in order.
func (x *tx) sorted() []string {
	keys := make([]string, 0, len(x.changes))
	for k := range x.changes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (x *tx) Scan(prefix []byte, fn func(k, v []byte) error) error {
	changed := slices.DeleteFunc(x.sorted(), func(k string) bool { return !bytes.HasPrefix([]byte(k), prefix) })
	// give shows the changed keys before the key limit.
	give := func(limit []byte) error {
		for len(changed) > 0 && (limit == nil || changed[0] < string(limit)) {
			k := changed[0]
			changed = changed[1:]
			if v := x.changes[k]; v != nil {
				if err := fn([]byte(k), *v); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var p position
	if err := x.t.find(prefix, &p); err != nil {
		return err
	}
	err := x.t.walk(p.back[0], func(r *record) (bool, error) {
		if !bytes.HasPrefix(r.key, prefix) {
			return false, nil
		}
		if err := give(r.key); err != nil {
			return false, err
		}
		if _, ok := x.changes[string(r.key)]; ok {
			return true, nil // comes with the changed keys
		}
		return true, fn(r.key, r.val)
	})
	if err == nil {
		err = give(nil)
	}
	return kv.Scanning(err)
}

func (x *tx) apply() error {
	for _, k := range x.sorted() {
		var err error
		if v := x.changes[k]; v != nil {
			err = x.t.put([]byte(k), *v)
		} else {
			err = x.t.remove([]byte(k))
		}
		if err != nil {
			return err
		}
	}
	return x.t.commit()
}
