// Package skiplist reads Cyrus's skiplist databases, which old sites have for
// mailboxes, seen state and annotations, and 3.x for conversations.
//
// A file is a header, a part in order, and a log of additions and deletions
// that COMMIT records close. Pointers are not needed to read it, and may be out
// of date; what the log says is applied to the part in order, in memory. Keys
// compare as signed octets. There is no writing: a skiplist is converted.
//
// docs/format/skiplist.md has the layout.
package skiplist

import (
	"bytes"
	"context"
	"encoding/binary"
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

// Magic begins a skiplist file.
const Magic = "\xa1\x02\x8b\x0dskiplist file\x00\x00\x00"

const (
	headerSize = 48
	// maxSize bounds what is read into memory: offsets have 32 bits.
	maxSize = 1 << 32

	kindDummy   = 257
	kindInOrder = 1
	kindAdd     = 2
	kindDelete  = 4
	kindCommit  = 255
	endOfPtrs   = 0xffffffff
)

type record struct{ key, val []byte }

// DB is an open file: its name, and the contents when it was last looked at.
type DB struct {
	path string

	mu     sync.Mutex
	closed bool
	info   os.FileInfo
	rows   []record
}

// Open opens the file path, for reading whatever flags say.
func Open(path string, _ kv.Flags) (*DB, error) {
	db := &DB{path: path}
	if _, err := db.load(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

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
	f, err := mappedfile.OpenLocked(context.Background(), db.path, os.O_RDONLY, lock.Shared)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err = f.Stat(); err != nil {
		return nil, err
	}
	if st.Size() > maxSize {
		return nil, kv.ErrTooLarge
	}
	b := make([]byte, st.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	rows, err := parse(b)
	if err != nil {
		return nil, err
	}
	db.info, db.rows = st, rows
	return rows, nil
}

// parse returns the live records in order.
func parse(b []byte) ([]record, error) {
	if len(b) < headerSize || string(b[:20]) != Magic {
		return nil, kv.ErrFormat
	}
	if v := binary.BigEndian.Uint32(b[20:]); v != 1 {
		return nil, fmt.Errorf("%w: version %d", kv.ErrFormat, v)
	}
	logStart := uint64(binary.BigEndian.Uint32(b[40:]))
	if logStart < headerSize || logStart > uint64(len(b)) {
		return nil, fmt.Errorf("%w: log begins at %d", kv.ErrCorrupt, logStart)
	}
	at := map[uint64]record{} // live records by offset
	var open []change
	for off := uint64(headerSize); off < uint64(len(b)); {
		c, next, err := readChange(b, off)
		if err != nil {
			if off < logStart {
				return nil, err
			}
			break // the end of a log that a crash cut off
		}
		switch {
		case off < logStart:
			c.apply(at)
		case c.kind == kindCommit:
			for _, o := range open {
				o.apply(at)
			}
			open = open[:0]
		default:
			open = append(open, c)
		}
		off = next
	}
	rows := make([]record, 0, len(at))
	for _, r := range at {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b record) int { return Compare(a.key, b.key) })
	return rows, nil
}

// change is a record of any kind. A replaced value is a deletion and an
// addition.
type change struct {
	kind   uint32
	off    uint64
	record record
	target uint64 // of a deletion
}

func (c *change) apply(at map[uint64]record) {
	switch c.kind {
	case kindInOrder, kindAdd:
		at[c.off] = c.record
	case kindDelete:
		delete(at, c.target)
	}
}

func readChange(b []byte, off uint64) (c change, next uint64, err error) {
	word := func() (w uint32) {
		if err != nil || off+4 > uint64(len(b)) {
			err = fmt.Errorf("%w: record at %d beyond the end", kv.ErrCorrupt, c.off)
			return 0
		}
		w = binary.BigEndian.Uint32(b[off:])
		off += 4
		return w
	}
	octets := func() []byte {
		n := uint64(word())
		if err != nil || n > uint64(len(b))-off {
			err = fmt.Errorf("%w: record at %d beyond the end", kv.ErrCorrupt, c.off)
			return nil
		}
		p := b[off : off+n : off+n]
		off = min(off+(n+3)&^3, uint64(len(b)))
		return p
	}
	c.off = off
	switch c.kind = word(); c.kind {
	case kindCommit:
	case kindDelete:
		c.target = uint64(word())
	case kindDummy, kindInOrder, kindAdd:
		c.record.key = octets()
		c.record.val = octets()
		for err == nil && word() != endOfPtrs {
		}
	default:
		err = fmt.Errorf("%w: record of type %d at %d", kv.ErrCorrupt, c.kind, c.off)
	}
	return c, off, err
}

// Compare is the order of keys: octets from 0x80 on are negative.
func Compare(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int(int8(a[i])) - int(int8(b[i]))
		}
	}
	return len(a) - len(b)
}

func find(rows []record, key []byte) int {
	return sort.Search(len(rows), func(i int) bool { return Compare(rows[i].key, key) >= 0 })
}

// Get returns the value of key or kv.ErrNotFound.
func (db *DB) Get(key []byte) ([]byte, error) {
	rows, err := db.load()
	if err != nil {
		return nil, err
	}
	if i := find(rows, key); i < len(rows) && bytes.Equal(rows[i].key, key) {
		return append([]byte{}, rows[i].val...), nil
	}
	return nil, kv.ErrNotFound
}

// Scan shows the contents of one moment.
func (db *DB) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return db.scan(prefix, prefix, fn)
}

// ScanFrom shows the contents of one moment.
func (db *DB) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	return db.scan(start, nil, fn)
}

func (db *DB) scan(start, prefix []byte, fn func(k, v []byte) error) error {
	rows, err := db.load()
	if err != nil {
		return err
	}
	for _, r := range rows[find(rows, start):] {
		if !bytes.HasPrefix(r.key, prefix) {
			break
		}
		if err := fn(r.key, r.val); err != nil {
			return kv.Scanning(err)
		}
	}
	return nil
}

// Update is refused.
func (db *DB) Update(func(kv.Tx) error) error {
	return fmt.Errorf("%s is a skiplist, to be converted: %w", db.path, kv.ErrReadOnly)
}

// Close forgets the contents.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed, db.info, db.rows = true, nil, nil
	return nil
}
