// Package leveldb is a LevelDB directory that many processes share.
//
// goleveldb is made for one process. Here a process has a handle that writes
// only while it holds the lock of the directory's LOCK file, from before the
// opening of the handle until after its closing, so that flush and compaction
// of two writers never meet. Readers take no lock: they have a handle of their
// own and look, before each operation, at a page of memory shared through the
// LOCK file, where each writer counts a generation on after the synced batch
// and before it answers anyone. While only the journal grew, a reader follows
// the journal; when files were exchanged it opens a new handle.
//
// So whoever is told of a success knows that every process sees it from then
// on. A process killed at any instruction costs nothing that was acknowledged.
//
// docs/format/mailboxes.db.md describes files and page.
package leveldb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	lerrors "github.com/syndtr/goleveldb/leveldb/errors"

	"gocyrus/lib/cyrusdb/kv"
)

// DB is a handle on a shared database. All handles of a process on the same
// directory are one inside.
type DB struct {
	s        *shared
	readOnly bool
	closed   atomic.Bool
}

// shared is what the handles of a process on one directory have in common.
type shared struct {
	dir    string
	page   atomic.Pointer[page]
	writer writer
	closed atomic.Bool

	cur     atomic.Pointer[view]
	refresh sync.Mutex // who replaces cur
	checked atomic.Int64
	current atomic.Pointer[os.FileInfo] // of CURRENT, when cur's handle was opened
	opened  atomic.Uint64               // handles opened for reading, for tests

	refs int // under registry.mu
}

var registry = struct {
	mu  sync.Mutex
	dbs map[string]*shared
}{dbs: map[string]*shared{}}

// Open opens the database in the directory path. Without kv.Create a directory
// that holds none is kv.ErrNotFound; a plain file in its place is kv.ErrFormat.
func Open(path string, flags kv.Flags) (*DB, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if s := registry.dbs[dir]; s != nil {
		s.refs++
		return &DB{s: s, readOnly: flags&kv.ReadOnly != 0}, nil
	}
	s, err := open(dir, flags)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	registry.dbs[dir] = s
	return &DB{s: s, readOnly: flags&kv.ReadOnly != 0}, nil
}

func open(dir string, flags kv.Flags) (*shared, error) {
	found, err := Is(dir)
	switch {
	case err != nil:
		return nil, err
	case !found && flags&kv.Create == 0:
		return nil, kv.ErrNotFound
	case !found:
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	p, err := openPage(dir)
	if err != nil {
		return nil, err
	}
	s := &shared{dir: dir, refs: 1}
	s.page.Store(p)
	s.writer.init(s)
	if !found {
		if err := errors.Join(s.writer.touch(), syncDir(filepath.Dir(dir))); err != nil {
			return nil, errors.Join(err, p.file.Close())
		}
	}
	return s, nil
}

// Is says whether path is a directory with a LevelDB in it. A plain file is
// kv.ErrFormat; nothing, or a directory without a database, is false.
func Is(path string) (bool, error) {
	st, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !st.IsDir() {
		return false, kv.ErrFormat
	}
	_, err = os.Stat(filepath.Join(path, currentName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Close gives the handle up. The last one of the process waits for running
// updates and leaves the database to others.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s := db.s
	if s.refs--; s.refs > 0 {
		return nil
	}
	delete(registry.dbs, s.dir)
	err := s.writer.stop()
	s.refresh.Lock()
	s.closed.Store(true)
	s.drop()
	s.refresh.Unlock()
	// The mapping stays: a straggler may be looking at it, and it is one page.
	return errors.Join(err, s.page.Load().file.Close())
}

// Generation changes with every update by any process.
func (db *DB) Generation() uint64 { return db.s.page.Load().gen() }

// lostTries bounds how often one operation begins again with another handle.
const lostTries = 50

// Get returns the value of key or kv.ErrNotFound.
func (db *DB) Get(key []byte) ([]byte, error) {
	var err error
	for range lostTries {
		var v *view
		if v, err = db.view(); err != nil {
			return nil, err
		}
		var val []byte
		val, err = v.get(key)
		v.release()
		if err == nil {
			return val, nil
		}
		if errors.Is(err, leveldb.ErrNotFound) {
			return nil, kv.ErrNotFound
		}
		if !lost(err) {
			break
		}
		db.s.forget(v)
	}
	return nil, fmt.Errorf("%s: %w", db.s.dir, err)
}

// Scan calls fn for the records whose key begins with prefix. A scan that no
// writer's clearing up interrupts shows one moment; one that is interrupted
// goes on after the last key with what is there then.
func (db *DB) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return db.scan(prefix, prefix, fn)
}

// ScanFrom calls fn for the records from start on.
func (db *DB) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	return db.scan(start, nil, fn)
}

func (db *DB) scan(start, prefix []byte, fn func(k, v []byte) error) error {
	var scanErr error
	for range lostTries {
		v, err := db.view()
		if err != nil {
			return err
		}
		var last []byte
		last, scanErr, err = v.scan(start, prefix, fn)
		v.release()
		if err != nil {
			return kv.Scanning(err)
		}
		if scanErr == nil {
			return nil
		}
		if !lost(scanErr) {
			break
		}
		if last != nil {
			start = append(append([]byte(nil), last...), 0)
		}
		db.s.forget(v)
	}
	return fmt.Errorf("%s: %w", db.s.dir, scanErr)
}

// Update runs fn and commits what it changed. Updates of goroutines that come
// while another is being synced are synced together.
func (db *DB) Update(fn func(kv.Tx) error) error {
	if db.closed.Load() {
		return kv.ErrClosed
	}
	if db.readOnly {
		return fmt.Errorf("%s: %w", db.s.dir, kv.ErrReadOnly)
	}
	return db.s.writer.update(fn)
}

// checkEvery is how often a reader looks whether the files are still those
// that the page speaks of: no writer of ours needs it, a restored backup or a
// foreign tool does.
const checkEvery = time.Second

var started = time.Now()

// view returns what is to be read now, acquired.
func (db *DB) view() (*view, error) {
	if db.closed.Load() {
		return nil, kv.ErrClosed
	}
	s := db.s
	now := int64(time.Since(started))
	if last := s.checked.Load(); now-last > int64(checkEvery) && s.checked.CompareAndSwap(last, now) {
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	if v := s.cur.Load(); v != nil && v.gen == s.page.Load().gen() && v.acquire() {
		return v, nil
	}
	return s.renew()
}

// renew brings cur up to the present and returns it, acquired.
func (s *shared) renew() (*view, error) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	if s.closed.Load() {
		return nil, kv.ErrClosed
	}
	p := s.page.Load()
	v := s.cur.Load()
	if v != nil && v.gen != p.gen() {
		next, err := v.next(p)
		if err != nil {
			s.drop()
		} else {
			s.cur.Store(next)
		}
		v = next
	}
	if v == nil {
		var err error
		if v, err = s.reopen(p); err != nil {
			return nil, err
		}
		s.cur.Store(v)
	}
	v.acquire() // cannot fail: cur holds it
	return v, nil
}

func (s *shared) reopen(p *page) (*view, error) {
	gen := p.gen() // before the opening: what comes during it is looked at again
	if st, err := os.Stat(filepath.Join(s.dir, currentName)); err == nil {
		s.current.Store(&st)
	}
	b, err := openBase(s.dir, p)
	if err != nil {
		return nil, err
	}
	s.opened.Add(1)
	return &view{base: b, end: b.place.size, gen: gen}, nil
}

// drop gives cur up. The caller holds refresh.
func (s *shared) drop() {
	if v := s.cur.Swap(nil); v != nil {
		v.release()
	}
}

// forget drops v, if it still is what others would get.
func (s *shared) forget(v *view) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	if cur := s.cur.Load(); cur != nil && cur.base == v.base {
		s.drop()
	}
}

// check compares page and handle with the names in the file system.
func (s *shared) check() error {
	if err := s.checkPage(); err != nil {
		return err
	}
	was := s.current.Load()
	now, err := os.Stat(filepath.Join(s.dir, currentName))
	if was == nil || err == nil && os.SameFile(*was, now) && (*was).ModTime().Equal(now.ModTime()) {
		return nil
	}
	s.refresh.Lock()
	defer s.refresh.Unlock()
	s.drop()
	return nil
}

// checkPage maps the lock file anew when another has taken its name.
func (s *shared) checkPage() error {
	old := s.page.Load()
	if old.current() {
		return nil
	}
	p, err := openPage(s.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	s.refresh.Lock()
	defer s.refresh.Unlock()
	if !s.page.CompareAndSwap(old, p) {
		return p.close()
	}
	// The old file stays open, since a writer of ours may hold its lock.
	s.drop()
	return nil
}

func isCorrupted(err error) bool { return lerrors.IsCorrupted(err) }
