package syncclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestBudget(t *testing.T) {
	b := newBudget(10)
	take := func(n int64) int64 {
		got, err := b.take(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := take(25); got != 10 {
		t.Errorf("more than there is: %d", got)
	}
	// Who asks first is served first: the small one waits behind the large one.
	var order []int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, n := range []int64{8, 1} {
		wg.Go(func() {
			take(n)
			mu.Lock()
			order = append(order, n)
			mu.Unlock()
		})
		until(t, "the request", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.wait) == i+1
		})
	}
	b.give(1)
	mu.Lock()
	if len(order) > 0 {
		t.Errorf("%v were served", order)
	}
	mu.Unlock()
	b.give(9)
	wg.Wait()
	slices.Sort(order)
	if !slices.Equal(order, []int64{1, 8}) || b.free != 1 {
		t.Errorf("served %v, left %d", order, b.free)
	}

	// Who gives up stands in nobody's way.
	gone, cancel := context.WithCancel(ctx)
	failed := make(chan error)
	go func() {
		_, err := b.take(gone, 5)
		failed <- err
	}()
	until(t, "the request", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.wait) == 1
	})
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := take(1); got != 1 || b.free != 0 {
		t.Errorf("got %d, left %d", got, b.free)
	}
}

func TestEach(t *testing.T) {
	items := make([]int, 100)
	for i := range items {
		items[i] = i
	}
	never := func(error) bool { return false }
	var now, most, all atomic.Int64
	err := each(items, 4, never, func(i int) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		all.Add(1)
		if i == 20 || i == 70 {
			return fmt.Errorf("item %d", i)
		}
		return nil
	})
	if err == nil || err.Error() != "item 20" || all.Load() != 100 || most.Load() > 4 {
		t.Errorf("%v; %d done, %d at once", err, all.Load(), most.Load())
	}
	all.Store(0)
	end := errors.New("the end")
	err = each(items, 1, func(err error) bool { return err == end }, func(i int) error {
		all.Add(1)
		if i == 5 {
			return end
		}
		return nil
	})
	if err != end || all.Load() != 6 {
		t.Errorf("%v; %d done", err, all.Load())
	}
	if err := each(nil, 4, never, func(int) error { return end }); err != nil {
		t.Error(err)
	}
}
