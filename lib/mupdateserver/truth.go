package mupdateserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/lib/etcdtable"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// truth is the list of a master that shares it with others, in etcd. What a
// session changes is committed there; mailboxes.db is a mirror, from which
// sessions read once it has all that was committed before they asked.
//
// A master that cannot reach etcd, or reaches a member without quorum, knows
// nothing: it answers NO to whatever must be right, and sends newcomers away, to
// another master.
type truth struct {
	store   *etcdtable.Table
	mirror  *mirror
	timeout time.Duration

	reqs  chan *request
	ended chan struct{}
	held  *request // the next batch's first

	away  atomic.Bool
	pulse pulse
	last  atomic.Int64 // when etcd last answered, Unix nanoseconds

	mu    sync.Mutex
	round *round // that asks etcd for its revision
	next  *round // for those who came after it had asked
}

// round is one question to etcd, for all who wait for the answer.
type round struct {
	done chan struct{}
	rev  int64
	err  error
}

func newTruth(t *table, list *mboxlist.List, o Options) (*truth, error) {
	store, err := etcdtable.Open(o.Etcd)
	if err != nil {
		return nil, err
	}
	tr := &truth{
		store: store, timeout: o.Etcd.Timeout,
		reqs: make(chan *request, maxBatch), ended: make(chan struct{}),
	}
	tr.pulse.setFor(o.Client.Timeout)
	tr.mirror = newMirror(store, t, list, o)
	return tr, nil
}

// start begins all that runs until ctx ends.
func (t *truth) start(ctx context.Context, k *kickListener) {
	go t.run()
	go t.mirror.run(ctx)
	go t.watchOver(ctx)
	go t.pulse.run(ctx)
	go t.kicks(ctx, k)
}

// wait waits until the mirror is right, or etcd is out of reach: until it is back
// everybody is sent away, to another master; whoever was not greeted would wait for that.
// An error is for a human.
func (t *truth) wait() error {
	select {
	case <-t.mirror.ready:
		return nil
	case <-t.mirror.failed:
		t.away.Store(true) // watchOver ends that
		return nil
	case <-t.mirror.done:
	}
	return explain(t.mirror.fatal)
}

// submit sends a request on its way; the caller waits for done.
func (t *truth) submit(r *request) {
	r.done, r.came = make(chan struct{}), time.Now().UnixNano()
	t.reqs <- r
}

// close ends it, after the last request.
func (t *truth) close() error {
	close(t.reqs)
	<-t.ended
	<-t.mirror.done
	return t.store.Close()
}

// run commits requests, all that are there in one transaction.
func (t *truth) run() {
	defer close(t.ended)
	for {
		batch := t.gather()
		if len(batch) == 0 {
			return
		}
		t.commit(batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// gather waits for a request, and takes what is there already: no name twice,
// for a transaction has no order.
func (t *truth) gather() []*request {
	var batch []*request
	names := map[mboxname.Name]bool{}
	octets := 0
	add := func(r *request) bool {
		if names[r.entry.Name] || len(batch) > 0 && octets+r.size() > etcdtable.MaxOctets {
			t.held = r
			return false
		}
		names[r.entry.Name] = true
		batch, octets = append(batch, r), octets+r.size()
		return true
	}
	if r := t.held; r != nil {
		t.held = nil
		add(r)
	} else if r, ok := <-t.reqs; ok {
		add(r)
	} else {
		return nil
	}
	for len(batch) < etcdtable.MaxChanges {
		select {
		case r, ok := <-t.reqs:
			if !ok || !add(r) {
				return batch
			}
		default:
			return batch
		}
	}
	return batch
}

// commit carries requests out. Those that came while etcd was waited for in vain
// do not wait again, and those that have waited for too long are not carried out.
func (t *truth) commit(batch []*request) {
	batch = slices.DeleteFunc(slices.Clone(batch), func(r *request) bool {
		late := t.pulse.late(r.came)
		if late {
			r.err = mupdate.ErrAway
		}
		return late
	})
	if len(batch) == 0 {
		return
	}
	var results []etcdtable.Result
	err := error(mupdate.ErrAway)
	if !t.away.Load() {
		changes := make([]etcdtable.Change, len(batch))
		for i, r := range batch {
			changes[i] = r.change()
		}
		results, err = t.store.Commit(context.Background(), changes, func() bool { return t.awake(batch) })
		if !errors.Is(err, etcdtable.ErrUnwanted) { // of which etcd heard nothing
			t.heard(err)
		}
	}
	for i, r := range batch {
		if err != nil {
			r.err = mupdate.ErrAway
			continue
		}
		r.err = results[i].Err
		if was := results[i].Was; was.State == mupdate.Active && was.Server() != r.entry.Server() {
			warnMoved(&was, r)
		}
	}
}

// awake says whether all of the batch came since the process last stood still, and not
// long ago.
func (t *truth) awake(batch []*request) bool {
	life := t.pulse.beat()
	return !slices.ContainsFunc(batch, func(r *request) bool { return r.life != life || t.pulse.late(r.came) })
}

// storeOps are the operations in etcd.
var storeOps = map[op]etcdtable.Op{
	reserve: etcdtable.Reserve, activate: etcdtable.Activate, deactivate: etcdtable.Deactivate, remove: etcdtable.Delete,
}

func (r *request) change() etcdtable.Change {
	e := r.entry
	e.ACL = mboxlist.NormalACL(e.ACL)
	return etcdtable.Change{Op: storeOps[r.op], Entry: e}
}

// heard notes whether etcd has answered.
func (t *truth) heard(err error) {
	if err == nil {
		t.last.Store(time.Now().UnixNano())
		return
	}
	if !t.away.Swap(true) {
		log.Err("mailbox list in etcd: %v", err)
	}
}

// probeEvery is how often etcd is asked when nobody else asks it, and asked again
// when it did not answer.
const probeEvery = time.Second

// watchOver finds out whether etcd answers.
func (t *truth) watchOver(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if t.mirror.floor() == 0 || !t.away.Load() && time.Since(time.Unix(0, t.last.Load())) < 2*probeEvery {
			continue
		}
		rev, err := t.head(ctx)
		if err == nil {
			err = t.mirror.wait(ctx, rev, t.timeout)
		}
		if err == nil && t.away.Swap(false) {
			log.Notice("mailbox list in etcd is back")
		}
	}
}

// head asks etcd for the revision of the last change. A table that has gone back
// in time, or is another's, is not the one that was mirrored.
func (t *truth) head(ctx context.Context) (int64, error) {
	floor := t.mirror.position()
	p, err := t.store.Head(ctx)
	if err == nil && floor.Revision > 0 {
		err = same(p, floor)
	}
	if ctx.Err() == nil {
		t.heard(err)
	}
	return p.Revision, err
}

// fresh waits until the mirror has all that any master committed before the
// call. The error is mupdate.ErrAway.
func (t *truth) fresh(ctx context.Context) error {
	if t.away.Load() {
		return mupdate.ErrAway
	}
	r := t.join()
	start := time.Now()
	late := time.NewTimer(t.timeout)
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
		return mupdate.ErrAway
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return fmt.Errorf("%w: %w", mupdate.ErrAway, r.err)
	}
	err := t.mirror.wait(ctx, r.rev, t.timeout-time.Since(start))
	if errors.Is(err, errBehindEtcd) {
		t.heard(err)
		return fmt.Errorf("%w: %w", mupdate.ErrAway, err)
	}
	return err
}

// join is the round that asks after now.
func (t *truth) join() *round {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.round == nil {
		t.round = &round{done: make(chan struct{})}
		go t.ask(t.round)
		return t.round
	}
	if t.next == nil {
		t.next = &round{done: make(chan struct{})}
	}
	return t.next
}

// ask carries out rounds while somebody waits for one.
func (t *truth) ask(r *round) {
	for r != nil {
		r.rev, r.err = t.head(context.Background())
		t.mu.Lock()
		done := r.done
		r, t.next = t.next, nil
		t.round = r
		t.mu.Unlock()
		close(done)
	}
}

// kicks answers who kicks on this machine, as a slave does.
func (t *truth) kicks(ctx context.Context, k *kickListener) {
	k.each(ctx, func() bool { return t.fresh(ctx) == nil })
}
