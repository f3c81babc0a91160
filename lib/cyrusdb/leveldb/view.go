package leveldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"gocyrus/lib/lock"
)

const (
	// writeBuffer keeps the journal, which whoever opens must replay, short.
	writeBuffer = 1 << 20
	// readBuffer is what a reader's buffer for the journal begins with; it grows
	// with what is in there.
	readBuffer = 16 << 10
)

func options(readOnly bool) *opt.Options {
	buffer := writeBuffer
	if readOnly {
		buffer = readBuffer
	}
	return &opt.Options{
		ReadOnly:               readOnly,
		ErrorIfMissing:         readOnly,
		WriteBuffer:            buffer,
		BlockCacheCapacity:     4 << 20,
		OpenFilesCacheCapacity: 64,
		Filter:                 filter.NewBloomFilter(10),
		// A reader must not write the table's samples of its seeks.
		DisableSeeksCompaction: true,
	}
}

// base is a handle that reads the files as they were when it was opened, and
// the journal that was being written then, open to be followed. It is closed
// when nobody uses it any more.
type base struct {
	db      *leveldb.DB
	journal *os.File // nil: cannot be followed
	place   place
	refs    atomic.Int64
}

func (b *base) acquire() bool {
	for {
		n := b.refs.Load()
		if n == 0 {
			return false
		}
		if b.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (b *base) release() {
	if b.refs.Add(-1) == 0 {
		b.db.Close()
		if b.journal != nil {
			b.journal.Close()
		}
	}
}

// view is the contents at one generation: what base has and, over it, what the
// journal got since. It never changes.
type view struct {
	*base
	over overlay
	end  int64 // how far the journal was followed
	gen  uint64
}

// Opening races with a writer's exchange of files: a handle may fail to open,
// or open without the contents of a journal that was removed between two of
// its steps. So the set of files must be the same before and after. A writer
// changes it in bursts with long rests between; when none is met, a shared
// lock makes one.
const (
	openTries = 40
	openPause = 5 * time.Millisecond
)

// openBase opens a handle on dir that has at least what was acknowledged by now.
func openBase(dir string, p *page) (b *base, err error) {
	for try := range openTries {
		if b, err = tryBase(dir, p); err == nil {
			return b, nil
		}
		time.Sleep(min(time.Duration(try)*time.Millisecond/4, openPause))
	}
	// Another open file, since the lock of this one may be this process's.
	f, err := os.Open(p.file.Name())
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	if err := p.wait(f, lock.Shared); err != nil {
		return nil, err
	}
	if b, err = tryBase(dir, p); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, plain(err))
	}
	return b, nil
}

var errMoved = errors.New("files were exchanged meanwhile")

func tryBase(dir string, p *page) (*base, error) {
	pl, ok := p.where()
	stor := &readStorage{fileStorage: fileStorage{dir: dir}}
	b := &base{place: pl}
	b.refs.Store(1)
	var err error
	if b.db, err = leveldb.Open(stor, options(true)); err != nil {
		return nil, err
	}
	if ok && pl.journal != 0 {
		b.journal, _ = os.Open(stor.path(storage.FileDesc{Type: storage.TypeJournal, Num: pl.journal}))
	}
	if after, _ := p.where(); after.files != pl.files {
		b.release()
		return nil, errMoved
	}
	return b, nil
}

// next returns the view after v, when only the journal grew since; errTail
// when it needs a new handle.
func (v *view) next(p *page) (*view, error) {
	gen := p.gen()
	pl, ok := p.where()
	if !ok || v.journal == nil || pl.files != v.place.files {
		return nil, errTail
	}
	records, end, err := readTail(v.journal, v.end)
	if err != nil {
		return nil, err
	}
	c := make(collector)
	for _, rec := range records {
		if err := replay(rec, c); err != nil {
			return nil, err
		}
	}
	if end < pl.size {
		return nil, errTail // something that is not a record stands in the way
	}
	return &view{base: v.base, over: v.over.with(c.run()), end: end, gen: gen}, nil
}

func (v *view) get(key []byte) ([]byte, error) {
	if len(v.over) > 0 {
		if e, ok := v.over.get(key); ok {
			if e.deleted {
				return nil, leveldb.ErrNotFound
			}
			return append([]byte{}, e.value...), nil
		}
	}
	return v.db.Get(key, nil)
}

// scan calls fn for the records from start on that have the prefix.
// last is the key that fn was given last; scanErr is the database's error, err
// fn's.
func (v *view) scan(start, prefix []byte, fn func(k, v []byte) error) (last []byte, scanErr, err error) {
	over := v.over.from(start, prefix)
	r := prefixRange(prefix)
	r.Start = start
	it := v.db.NewIterator(r, &opt.ReadOptions{DontFillCache: true})
	defer it.Release()
	var buf []byte
	give := func(k, val []byte) error {
		buf = append(buf[:0], k...)
		return fn(k, val)
	}
	if err := mergeScan(it, over, give); err != nil {
		return buf, nil, err
	}
	return buf, it.Error(), nil
}

func prefixRange(prefix []byte) *util.Range {
	if len(prefix) == 0 {
		return new(util.Range)
	}
	return util.BytesPrefix(prefix)
}

// mergeScan gives the records of it, as over changes them, to fn.
func mergeScan(it iterator.Iterator, over run, fn func(k, v []byte) error) error {
	for it.Next() {
		k := it.Key()
		for len(over) > 0 && string(over[0].key) < string(k) {
			if !over[0].deleted {
				if err := fn(over[0].key, over[0].value); err != nil {
					return err
				}
			}
			over = over[1:]
		}
		val := it.Value()
		if len(over) > 0 && string(over[0].key) == string(k) {
			e := over[0]
			over = over[1:]
			if e.deleted {
				continue
			}
			val = e.value
		}
		if err := fn(k, val); err != nil {
			return err
		}
	}
	if it.Error() != nil {
		return nil // the caller goes on elsewhere, after the last key given
	}
	for _, e := range over {
		if !e.deleted {
			if err := fn(e.key, e.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost says whether err may come of a writer that took files away from under a
// handle, which another handle does not suffer.
func lost(err error) bool {
	return err != nil && !errors.Is(err, leveldb.ErrNotFound) &&
		(errors.Is(err, os.ErrNotExist) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, leveldb.ErrClosed) || isCorrupted(err))
}
