package mailbox

import (
	"context"
	"fmt"
	"sync"

	"gocyrus/lib/lock"
)

// A queue is the updates that wait for a mailbox. Whoever gets the token takes
// the locks, runs all that wait by then, and commits them together: a busy
// mailbox pays for one fdatasync where it would pay for many.
type queue struct {
	token chan struct{} // one
	mu    sync.Mutex
	wait  []*request
}

type request struct {
	fn    func(tx *Tx) error
	then  func(v *View) // nil, or what is to be done under the same lock
	done  chan struct{} // closed when err is final
	err   error
	panic any // of fn, to be raised in the goroutine that asked
}

// maxBatch bounds how many updates are committed together.
const maxBatch = 128

func (q *queue) add(r *request) {
	q.mu.Lock()
	q.wait = append(q.wait, r)
	q.mu.Unlock()
}

// remove takes r back; false means that somebody runs it already.
func (q *queue) remove(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.wait {
		if w == r {
			q.wait = append(q.wait[:i], q.wait[i+1:]...)
			return true
		}
	}
	return false
}

func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.wait), maxBatch)
	rs := q.wait[:n:n]
	q.wait = q.wait[n:]
	if len(q.wait) == 0 {
		q.wait = nil
	}
	return rs
}

// Update runs fn on the mailbox, which nobody else reads or changes meanwhile,
// and makes what it did durable when it returns nil; with an error of fn nothing
// has changed. fn may run in another goroutine, and must not View or Update any
// mailbox. The error is fn's, ErrNotFound, ErrBadFormat, ErrCorrupt, an error of
// the file system, or lock.ErrBusy when ctx ended first.
func (m *Mailbox) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return m.UpdateThen(ctx, fn, nil)
}

// UpdateThen is Update and then, unless that failed, View without another lock:
// then sees the mailbox as the commit has left it, with the changes of others
// that were committed together with it.
func (m *Mailbox) UpdateThen(ctx context.Context, fn func(tx *Tx) error, then func(v *View)) error {
	r := &request{fn: fn, then: then, done: make(chan struct{})}
	q := &m.queue
	if ctx.Value(held{m.user}) != nil || ctx.Value(held{m.name}) != nil {
		// Whoever leads the queue waits for the lock that this one has.
		return m.apart(ctx, r)
	}
	q.add(r)
	select {
	case <-r.done:
	case q.token <- struct{}{}:
		m.lead(ctx, r)
	case <-ctx.Done():
		if q.remove(r) {
			return fmt.Errorf("%s: %w: %w", m.Name(), lock.ErrBusy, context.Cause(ctx))
		}
		<-r.done
	}
	return r.result()
}

func (r *request) result() error {
	if r.panic != nil {
		panic(r.panic)
	}
	return r.err
}

// apart runs one update by itself.
func (m *Mailbox) apart(ctx context.Context, r *request) error {
	_, o, err := m.round(ctx, func() []*request { return []*request{r} })
	if err != nil && r.err == nil {
		r.err = err
	}
	m.store.tell(o)
	return r.result()
}

// lead runs the waiting updates until own is done. The caller has the token.
func (m *Mailbox) lead(ctx context.Context, own *request) {
	for {
		select {
		case <-own.done:
			<-m.queue.token
			return
		default:
		}
		rs, o, err := m.round(ctx, m.queue.take)
		if err != nil && rs == nil {
			// No lock: the others may have more patience than this context.
			if m.queue.remove(own) {
				own.err = err
				close(own.done)
			}
			continue
		}
		// First the sinks, in the order of the commits: who is told that his
		// change is done may rely on it that they know.
		m.store.tell(o)
		for _, r := range rs {
			close(r.done)
		}
	}
}

// round takes the locks, runs what take gives and commits it. The requests it returns
// have their error; without any, err says why there was no lock.
func (m *Mailbox) round(ctx context.Context, take func() []*request) (rs []*request, o outcome, err error) {
	err = m.guard(func() error {
		in, err := m.enter(ctx, lock.Exclusive)
		if err != nil {
			return err
		}
		defer in.leave()
		rs = take()
		b := newBatch(m)
		ran := rs[:0:0]
		for _, r := range rs {
			if b.run(r) {
				ran = append(ran, r)
			}
		}
		o, err = b.commit()
		if err != nil {
			for _, r := range ran {
				r.err = err
			}
			return nil
		}
		for _, r := range ran {
			m.after(r)
		}
		return nil
	})
	if err != nil {
		// A fault: nobody's change is known to be done.
		for _, r := range rs {
			if r.err == nil {
				r.err = err
			}
		}
	}
	return rs, o, err
}

// after runs what is left to do of a request that is committed.
func (m *Mailbox) after(r *request) {
	if r.then == nil {
		return
	}
	defer func() { m.caught(r, recover()) }()
	r.then(&View{m: m})
}
