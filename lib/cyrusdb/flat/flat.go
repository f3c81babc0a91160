// Package flat is Cyrus's flat database: a text file with a line of key, TAB
// and value for each record, in an order in which "." comes first.
//
// A change writes the whole file anew and renames it over the old one, under a
// lock on the old one; a reader needs no lock, since what it opened stays whole.
// So flat is for small things: subscriptions, user_deny.db.
package flat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// maxSize bounds what is read into memory, in octets.
const maxSize = 1 << 30

// record is one line, in the escaped form of the file.
type record struct{ key, value []byte }

// DB is an open database: a name, and the contents of the file that had it
// when it was last looked at.
type DB struct {
	path  string
	flags kv.Flags

	mu     sync.Mutex
	closed bool
	info   os.FileInfo
	rows   []record // never changed, only replaced
}

// Open opens the database path.
func Open(path string, flags kv.Flags) (*DB, error) {
	db := &DB{path: path, flags: flags}
	_, err := db.load()
	if errors.Is(err, kv.ErrNotFound) && flags&kv.Create != 0 {
		err = db.create()
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func (db *DB) create() error {
	f, err := mappedfile.Create(db.path, os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// load returns the rows of the file that bears the name now.
func (db *DB) load() ([]record, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, kv.ErrClosed
	}
	st, err := os.Stat(db.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, kv.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if db.info != nil && os.SameFile(st, db.info) && st.Size() == db.info.Size() && st.ModTime().Equal(db.info.ModTime()) {
		return db.rows, nil
	}
	f, err := os.Open(db.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, kv.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, rows, err := read(f)
	if err != nil {
		return nil, err
	}
	db.info, db.rows = info, rows
	return rows, nil
}

func read(f *os.File) (os.FileInfo, []record, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxSize {
		return nil, nil, kv.ErrTooLarge
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, nil, err
	}
	rows, err := parse(b)
	return info, rows, err
}

// parse reads the lines of b. A file that somebody edited by hand need not be
// in order; of two lines with one key the last is taken, and a line without TAB
// is a key with an empty value.
func parse(b []byte) ([]record, error) {
	if bytes.HasPrefix(b, []byte("\xa1\x02\x8b\x0d")) {
		return nil, kv.ErrFormat // another engine's magic
	}
	var rows []record
	sorted := true
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		b = rest
		if len(line) == 0 {
			continue
		}
		k, v, _ := bytes.Cut(line, []byte{'\t'})
		if n := len(rows); n > 0 && compareEscaped(rows[n-1].key, k) >= 0 {
			sorted = false
		}
		rows = append(rows, record{k, v})
	}
	if sorted {
		return rows, nil
	}
	slices.SortStableFunc(rows, func(a, b record) int { return compareEscaped(a.key, b.key) })
	out := rows[:0]
	for i, r := range rows {
		if i+1 == len(rows) || !bytes.Equal(r.key, rows[i+1].key) {
			out = append(out, r)
		}
	}
	return out, nil
}

// find returns where key is or belongs.
func find(rows []record, key []byte) (int, bool) {
	i := sort.Search(len(rows), func(i int) bool { return compareEscaped(rows[i].key, key) >= 0 })
	return i, i < len(rows) && bytes.Equal(rows[i].key, key)
}

func get(rows []record, key []byte) ([]byte, error) {
	i, ok := find(rows, escape(nil, key))
	if !ok {
		return nil, kv.ErrNotFound
	}
	return append([]byte{}, unescape(rows[i].value)...), nil
}

func scan(rows []record, start, prefix []byte, fn func(k, v []byte) error) error {
	start, prefix = escape(nil, start), escape(nil, prefix)
	from, _ := find(rows, start)
	for _, r := range rows[from:] {
		if !bytes.HasPrefix(r.key, prefix) {
			break
		}
		if err := fn(unescape(r.key), unescape(r.value)); err != nil {
			return kv.Scanning(err)
		}
	}
	return nil
}

// Get returns the value of key or kv.ErrNotFound.
func (db *DB) Get(key []byte) ([]byte, error) {
	rows, err := db.load()
	if err != nil {
		return nil, err
	}
	return get(rows, key)
}

// Scan shows the contents of one moment.
func (db *DB) Scan(prefix []byte, fn func(k, v []byte) error) error {
	rows, err := db.load()
	if err != nil {
		return err
	}
	return scan(rows, prefix, prefix, fn)
}

// ScanFrom shows the contents of one moment.
func (db *DB) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	rows, err := db.load()
	if err != nil {
		return err
	}
	return scan(rows, start, nil, fn)
}

// Close forgets the contents.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed, db.info, db.rows = true, nil, nil
	return nil
}

// Update holds the lock of the file from reading it to replacing it.
func (db *DB) Update(fn func(kv.Tx) error) error {
	if db.flags&kv.ReadOnly != 0 {
		return fmt.Errorf("%s: %w", db.path, kv.ErrReadOnly)
	}
	db.mu.Lock()
	closed := db.closed
	db.mu.Unlock()
	if closed {
		return kv.ErrClosed
	}
	flag := os.O_RDWR
	if db.flags&kv.Create != 0 {
		flag |= os.O_CREATE
	}
	f, err := mappedfile.OpenLocked(context.Background(), db.path, flag, lock.Exclusive)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", db.path, kv.ErrNotFound)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, rows, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", db.path, err)
	}
	t := &tx{rows: slices.Clone(rows)}
	if err := fn(t); err != nil || !t.dirty {
		return err
	}
	return mappedfile.Replace(db.path, info.Mode().Perm(), t.write)
}

// tx is a copy of the rows.
type tx struct {
	rows  []record
	dirty bool
}

func (t *tx) Get(key []byte) ([]byte, error) { return get(t.rows, key) }

func (t *tx) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return scan(t.rows, prefix, prefix, fn)
}

func (t *tx) Put(k, v []byte) error {
	r := record{escape(nil, k), escape(nil, v)}
	i, ok := find(t.rows, r.key)
	switch {
	case !ok:
		t.rows = slices.Insert(t.rows, i, r)
	case bytes.Equal(t.rows[i].value, r.value):
		return nil
	default:
		t.rows[i] = r
	}
	t.dirty = true
	return nil
}

func (t *tx) Delete(k []byte) error {
	if i, ok := find(t.rows, escape(nil, k)); ok {
		t.rows = slices.Delete(t.rows, i, i+1)
		t.dirty = true
	}
	return nil
}

func (t *tx) write(w io.Writer) error {
	var line []byte
	for _, r := range t.rows {
		line = append(append(append(append(line[:0], r.key...), '\t'), r.value...), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}
