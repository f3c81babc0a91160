package mailbox

import (
	"context"
	"fmt"
	"sync"

	"gocyrus/lib/lock"
)

// A gate is a fair lock, shared or exclusive, whose waits end with a context:
// the goroutines of the process queue here before one of them asks the kernel
// for all. The zero gate is open.
type gate struct {
	mu      sync.Mutex
	shared  int  // holders
	excl    bool // held exclusively
	waiting []*ticket
}

type ticket struct {
	mode  lock.Mode
	ready chan struct{} // closed when the lock is the ticket's
}

func (g *gate) free(m lock.Mode) bool {
	return !g.excl && (m == lock.Shared || g.shared == 0)
}

func (g *gate) grant(m lock.Mode) {
	if m == lock.Exclusive {
		g.excl = true
	} else {
		g.shared++
	}
}

// try takes the lock if that needs no wait.
func (g *gate) try(m lock.Mode) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 || !g.free(m) {
		return false
	}
	g.grant(m)
	return true
}

// lock waits in the queue. The error is lock.ErrBusy and the context's.
func (g *gate) lock(ctx context.Context, m lock.Mode) error {
	if ctx.Err() != nil {
		return busy(ctx)
	}
	g.mu.Lock()
	if len(g.waiting) == 0 && g.free(m) {
		g.grant(m)
		g.mu.Unlock()
		return nil
	}
	t := &ticket{mode: m, ready: make(chan struct{})}
	g.waiting = append(g.waiting, t)
	g.mu.Unlock()
	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.ready: // granted meanwhile: give it back
		g.release(m)
	default:
		g.remove(t)
	}
	return busy(ctx)
}

// busy is the error of a wait that ended with its context, be it before it began.
func busy(ctx context.Context) error {
	return fmt.Errorf("lock: %w: %w", lock.ErrBusy, context.Cause(ctx))
}

// unlock gives back what lock or try took.
func (g *gate) unlock(m lock.Mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release(m)
}

func (g *gate) release(m lock.Mode) {
	if m == lock.Exclusive {
		g.excl = false
	} else {
		g.shared--
	}
	g.serve()
}

// serve lets in whoever is at the head of the queue, all sharers up to the next
// exclusive one.
func (g *gate) serve() {
	for len(g.waiting) > 0 && g.free(g.waiting[0].mode) {
		t := g.waiting[0]
		g.waiting[0] = nil
		g.waiting = g.waiting[1:]
		g.grant(t.mode)
		close(t.ready)
	}
	if len(g.waiting) == 0 {
		g.waiting = nil
	}
}

func (g *gate) remove(t *ticket) {
	for i, w := range g.waiting {
		if w == t {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			break
		}
	}
	// Sharers behind a waiter that gave up need not wait any more.
	g.serve()
}
