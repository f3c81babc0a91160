package leveldb

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/lock"
)

// A lease is the time a process keeps lock and handle after a change, so that
// a burst of them costs one opening. It ends when idle; when somebody waits,
// at once, or after a slice of time if there is still work to do.
const (
	leaseIdle  = 40 * time.Millisecond
	leaseSlice = 25 * time.Millisecond
	leaseLook  = 2 * time.Millisecond
)

// writer is the writing half of a process: the lease, and the groups of
// updates that are synced together.
type writer struct {
	s *shared

	mu      sync.Mutex // order of updates; all fields below
	quiet   *sync.Cond // cur and inflight have become nil
	db      *leveldb.DB
	page    *page // whose lock is held
	since   time.Time
	used    time.Time
	cur     *group // accepts updates
	flight  *group // being synced
	watched bool   // a timer runs
	stopped bool

	commit sync.Mutex // one group is synced at a time
}

// group is updates that are one batch.
type group struct {
	changes collector
	before  *group // whose changes these updates may have read
	members int
	done    chan struct{}
	err     error // set before done is closed
}

func (w *writer) init(s *shared) {
	w.s = s
	w.quiet = sync.NewCond(&w.mu)
}

// update runs fn in the order of the lock, and returns when what it changed,
// and what it may have read of others' changes, is synced.
func (w *writer) update(fn func(kv.Tx) error) error {
	g, leader, err := w.join(fn)
	if g == nil {
		return err
	}
	if leader {
		w.sync(g)
	}
	<-g.done
	return errors.Join(err, g.err)
}

// join runs fn and adds its changes to the current group. The group is the one
// to wait for; the leader is who must sync it.
func (w *writer) join(fn func(kv.Tx) error) (g *group, leader bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return nil, false, err
	}
	tx := &tx{w: w, changes: make(collector)}
	if err := fn(tx); err != nil {
		return nil, false, err
	}
	tx.done = true
	w.used = time.Now()
	if len(tx.changes) == 0 {
		if w.cur != nil {
			return w.cur, false, nil
		}
		return w.flight, false, nil
	}
	if w.cur == nil {
		w.cur = &group{changes: tx.changes, before: w.flight, done: make(chan struct{})}
	} else {
		for k, e := range tx.changes {
			w.cur.changes[k] = e
		}
	}
	w.cur.members++
	return w.cur, w.cur.members == 1, nil
}

// sync commits g: others join it until those before it are through.
func (w *writer) sync(g *group) {
	w.commit.Lock()
	defer w.commit.Unlock()
	w.mu.Lock()
	w.cur, w.flight = nil, g
	db, p := w.db, w.page
	w.mu.Unlock()

	g.err = w.write(g, db, p)
	g.before = nil

	w.mu.Lock()
	defer w.mu.Unlock()
	w.flight = nil
	w.used = time.Now()
	if w.cur == nil {
		if g.err != nil {
			w.leave()
		}
		w.quiet.Broadcast()
	}
	close(g.done)
}

func (w *writer) write(g *group, db *leveldb.DB, p *page) error {
	if g.before != nil && g.before.err != nil {
		return fmt.Errorf("after a failed update: %w", g.before.err)
	}
	batch := new(leveldb.Batch)
	for _, e := range g.changes {
		if e.deleted {
			batch.Delete(e.key)
		} else {
			batch.Put(e.key, e.value)
		}
	}
	err := db.Write(batch, &opt.WriteOptions{Sync: true})
	// Also after a failure, of which nobody knows how far it went.
	p.changed()
	return err
}

// ready has the handle open, and gives way first when that is due. The caller
// holds mu.
func (w *writer) ready() error {
	if w.stopped {
		return kv.ErrClosed
	}
	if w.db != nil && time.Since(w.since) > leaseSlice && w.page.somebodyWaits() {
		for w.cur != nil || w.flight != nil {
			w.quiet.Wait()
		}
		if w.db != nil {
			had := atomic.LoadUint64(&w.page.acquired)
			p := w.page
			if err := w.leave(); err != nil {
				return err
			}
			letIn(p, had)
		}
	}
	if w.db != nil {
		return nil
	}
	return w.enter()
}

// letIn waits until somebody else has had the lock, or has ceased to wait.
func letIn(p *page, had uint64) {
	for p.somebodyWaits() && atomic.LoadUint64(&p.acquired) == had {
		time.Sleep(pollMax)
	}
}

// enter takes the lock and opens the handle.
func (w *writer) enter() error {
	p, err := w.lock()
	if err != nil {
		return err
	}
	died := atomic.SwapUint64(&p.open, 1) == 1
	db, err := leveldb.Open(&fileStorage{dir: w.s.dir, page: p}, options(false))
	if err != nil {
		return errors.Join(fmt.Errorf("open %s for writing: %w", w.s.dir, err), lock.Release(p.file))
	}
	if died {
		// It may have synced a batch and not counted it.
		p.changed()
	}
	atomic.AddUint64(&p.acquired, 1)
	w.db, w.page, w.since, w.used = db, p, time.Now(), time.Now()
	w.watch()
	return nil
}

// lock takes the lock of the file that bears the name now.
func (w *writer) lock() (*page, error) {
	for {
		p := w.s.page.Load()
		if err := p.wait(p.file, lock.Exclusive); err != nil {
			return nil, err
		}
		if p.current() {
			return p, nil
		}
		if err := errors.Join(lock.Release(p.file), w.s.checkPage()); err != nil {
			return nil, err
		}
	}
}

// leave closes the handle, which ends flush and compaction, and then gives the
// lock up. The caller holds mu, and no group is on its way.
func (w *writer) leave() error {
	if w.db == nil {
		return nil
	}
	db, p := w.db, w.page
	w.db, w.page = nil, nil
	err := db.Close()
	if err == nil {
		atomic.StoreUint64(&p.open, 0)
	}
	return errors.Join(err, lock.Release(p.file))
}

// watch ends the lease when it is idle or somebody waits.
func (w *writer) watch() {
	if w.watched {
		return
	}
	w.watched = true
	time.AfterFunc(leaseLook, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.watched = false
		if w.db == nil {
			return
		}
		if w.cur == nil && w.flight == nil && (time.Since(w.used) > leaseIdle || w.page.somebodyWaits()) {
			// Nobody is there to be told; what was acknowledged is synced.
			_ = w.leave()
			return
		}
		w.watch()
	})
}

// touch opens for writing once, which creates or recovers the database.
func (w *writer) touch() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ready()
}

// exclusive runs fn while this process holds the lock and no handle is open:
// the files stand still.
func (w *writer) exclusive(fn func(dir string) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cur != nil || w.flight != nil {
		w.quiet.Wait()
	}
	if err := w.leave(); err != nil {
		return err
	}
	p, err := w.lock()
	if err != nil {
		return err
	}
	return errors.Join(fn(w.s.dir), lock.Release(p.file))
}

// stop ends the lease for good.
func (w *writer) stop() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cur != nil || w.flight != nil {
		w.quiet.Wait()
	}
	w.stopped = true
	return w.leave()
}

// tx is a transaction: its changes over those of the groups that are not yet
// in the handle, over the handle.
type tx struct {
	w       *writer
	changes collector
	done    bool
}

func (t *tx) Get(key []byte) ([]byte, error) {
	if t.done {
		return nil, kv.ErrClosed
	}
	for _, c := range t.layers() {
		if e, ok := c[string(key)]; ok {
			if e.deleted {
				return nil, kv.ErrNotFound
			}
			return append([]byte{}, e.value...), nil
		}
	}
	v, err := t.w.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		err = kv.ErrNotFound
	}
	return v, err
}

func (t *tx) Scan(prefix []byte, fn func(k, v []byte) error) error {
	if t.done {
		return kv.ErrClosed
	}
	var over overlay
	for _, c := range t.layers() {
		over = append(over, c.run())
	}
	it := t.w.db.NewIterator(prefixRange(prefix), nil)
	defer it.Release()
	if err := mergeScan(it, over.from(prefix, prefix), fn); err != nil {
		return kv.Scanning(err)
	}
	return it.Error()
}

// layers are the changes above the handle, newest first.
func (t *tx) layers() []collector {
	layers := []collector{t.changes}
	for _, g := range []*group{t.w.cur, t.w.flight} {
		if g != nil {
			layers = append(layers, g.changes)
		}
	}
	return layers
}

func (t *tx) Put(k, v []byte) error {
	if t.done {
		return kv.ErrClosed
	}
	t.changes.Put(k, v)
	return nil
}

func (t *tx) Delete(k []byte) error {
	if t.done {
		return kv.ErrClosed
	}
	t.changes.Delete(k)
	return nil
}
