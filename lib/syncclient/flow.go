package syncclient

import (
	"context"
	"sync"
)

// budget bounds what is on its way. Who asks first is served first, so that a large
// message is not passed over for ever by small ones.
type budget struct {
	mu   sync.Mutex
	free int64
	all  int64
	wait []*waiter
}

type waiter struct {
	n    int64
	done chan struct{}
}

func newBudget(n int64) *budget { return &budget{free: n, all: n} }

// take waits until n is free; more than there is counts as all there is. It says what
// give has to give back.
func (b *budget) take(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.all)
	b.mu.Lock()
	if len(b.wait) == 0 && b.free >= n {
		b.free -= n
		b.mu.Unlock()
		return n, nil
	}
	c := &waiter{n, make(chan struct{})}
	b.wait = append(b.wait, c)
	b.mu.Unlock()
	select {
	case <-c.done:
		return n, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.done:
		// It came at the last moment.
		b.free += n
	default:
		for i, w := range b.wait {
			if w == c {
				b.wait = append(b.wait[:i], b.wait[i+1:]...)
				break
			}
		}
	}
	b.serve()
	return 0, context.Cause(ctx)
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.serve()
}

func (b *budget) serve() {
	for len(b.wait) > 0 && b.wait[0].n <= b.free {
		b.free -= b.wait[0].n
		close(b.wait[0].done)
		b.wait = b.wait[1:]
	}
}

// each calls fn for every item, at most n at a time, and returns when all have ended:
// the first error, in the order of items. An error of one does not keep the others
// from being done, but for one that stop says is the end of everything.
func each[T any](items []T, n int, stop func(error) bool, fn func(T) error) error {
	var (
		mu   sync.Mutex
		next int
		over bool
		wg   sync.WaitGroup
		errs = make([]error, len(items))
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if over || next == len(items) {
			return 0, false
		}
		next++
		return next - 1, true
	}
	work := func() {
		for i, ok := take(); ok; i, ok = take() {
			if errs[i] = fn(items[i]); errs[i] != nil && stop(errs[i]) {
				mu.Lock()
				over = true
				mu.Unlock()
			}
		}
	}
	for range min(n, len(items)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
