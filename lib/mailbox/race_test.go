package mailbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/lib/change"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
)

// TestManyGoroutines lets 16 goroutines, over two stores as two processes would
// have, read and change one mailbox.
func TestManyGoroutines(t *testing.T) {
	for _, conversations := range []bool{false, true} {
		t.Run(fmt.Sprint("conversations ", conversations), func(t *testing.T) { manyGoroutines(t, conversations) })
	}
}

func manyGoroutines(t *testing.T, conversations bool) {
	s, e := newStore(t, func(o *Options) { o.Conversations = conversations })
	other := NewStore(s.opt, nil, nil)
	defer other.Close()
	f, msg := staged(t, t.TempDir(), "many", 200)
	var appended atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		store := s
		if g%4 == 3 {
			store = other
		}
		wg.Go(func() {
			m := open(t, store, e)
			defer m.Close()
			rnd := rand.New(rand.NewPCG(uint64(g), 7))
			var last *UIDIndex
			var modseq uint64
			for i := range 40 {
				var err error
				switch rnd.IntN(4) {
				case 0:
					err = m.Update(t.Context(), func(tx *Tx) error {
						_, _, err := tx.Append(Append{File: f, Message: msg, UserFlags: []string{fmt.Sprint("G", g%3)}})
						return err
					})
					if err == nil {
						appended.Add(1)
					}
				case 1:
					err = m.Update(t.Context(), func(tx *Tx) error { return toggle(tx, rnd) })
				default:
					err = m.View(t.Context(), func(v *View) error {
						last, modseq = follow(t, v, last, modseq)
						return nil
					})
				}
				if err != nil {
					t.Errorf("goroutine %d, step %d: %v", g, i, err)
				}
			}
		})
	}
	wg.Wait()
	m := open(t, s, e)
	defer m.Close()
	checkMailbox(t, m)
	if got := int64(m.hdr.LastUID); got != appended.Load() {
		t.Errorf("%d messages appended, last uid %d", appended.Load(), got)
	}
}

func toggle(tx *Tx, rnd *rand.Rand) error {
	x := tx.Index()
	if x.Len() == 0 {
		return nil
	}
	recno := x.Recno(rnd.IntN(x.Len()) + 1)
	if rnd.IntN(5) == 0 {
		return tx.Expunge(recno)
	}
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return err
	}
	r.Flags ^= indexfile.Seen
	return tx.Rewrite(recno, &r)
}

// follow is what a session does: it compares what it knew with what is now.
func follow(t testing.TB, v *View, last *UIDIndex, modseq uint64) (*UIDIndex, uint64) {
	x := v.Index()
	if x.Len() != int(v.Header().Exists) {
		t.Errorf("snapshot of %d, %d exist", x.Len(), v.Header().Exists)
	}
	if last != nil {
		gone := len(x.Gone(last))
		if fresh := x.Len() - (last.Len() - gone); fresh < 0 {
			t.Errorf("%d messages, %d gone, now %d", last.Len(), gone, x.Len())
		}
	}
	changed := 0
	err := v.ChangedSince(modseq, func(recno int) error {
		if v.Raw(recno).ModSeq() <= modseq {
			t.Errorf("record %d has modseq %d, since %d", recno, v.Raw(recno).ModSeq(), modseq)
		}
		changed++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want := 0
	for recno := 1; recno <= v.NumRecords(); recno++ {
		if v.Raw(recno).ModSeq() > modseq {
			want++
		}
	}
	if changed != want {
		t.Errorf("%d records changed since %d, told of %d", want, modseq, changed)
	}
	unseen := 0
	for seq := 1; seq <= x.Len() && unseen == 0; seq++ {
		if v.Raw(x.Recno(seq)).Flags()&indexfile.Seen == 0 {
			unseen = x.Recno(seq)
		}
	}
	if got := v.FirstUnseen(); got != unseen {
		t.Errorf("first unseen is record %d, told %d", unseen, got)
	}
	return x, v.Header().HighestModSeq
}

// TestWaitEnds checks that a wait for a lock ends with its context, and that the
// lock is free for others afterwards.
func TestWaitEnds(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	locked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := m.Update(context.Background(), func(*Tx) error {
			close(locked)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-locked
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if err := m.View(ctx, func(*View) error { return nil }); !errors.Is(err, lock.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("View, within %v: %v", wait, err)
		}
		if err := m.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, lock.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update, within %v: %v", wait, err)
		}
	}
	close(release)
	wg.Wait()
	if err := m.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Errorf("Update afterwards: %v", err)
	}
}

// TestPanic checks that an update that panics harms nobody but its caller.
func TestPanic(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = m.Update(t.Context(), func(tx *Tx) error { panic("mine") })
	}()
	add(t, m, 1)
	checkMailbox(t, m)
}

// TestHeldLocks checks that who holds the user lock can go on, also while others
// wait for it.
func TestHeldLocks(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	ctx, unlock, err := s.LockUser(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := m.Update(t.Context(), func(tx *Tx) error { _, err := tx.TouchModSeq(); return err }); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		if err := m.Update(ctx, func(tx *Tx) error { _, err := tx.TouchModSeq(); return err }); err != nil {
			t.Fatal(err)
		}
	}
	unlock()
	wg.Wait()
	if got := m.hdr.HighestModSeq; got != 7 {
		t.Errorf("highest modseq %d after 6 changes, want 7", got)
	}
}

// TestCommitsTogether checks that updates that wait for one another share a
// commit, and that one of them failing does not matter to the others.
func TestCommitsTogether(t *testing.T) {
	var commits atomic.Int64
	s, e := newStore(t, nil, change.Func(func(*change.Commit) { commits.Add(1) }))
	m := open(t, s, e)
	defer m.Close()
	const n = 20
	boom := errors.New("boom")
	var wg sync.WaitGroup
	err := m.View(t.Context(), func(*View) error {
		for i := range n {
			wg.Go(func() {
				err := m.Update(t.Context(), func(tx *Tx) error {
					if _, err := tx.TouchModSeq(); err != nil {
						return err
					}
					if i == 7 {
						return boom
					}
					return nil
				})
				if i == 7 != errors.Is(err, boom) {
					t.Errorf("update %d: %v", i, err)
				}
			})
		}
		for queued := 0; queued < n; {
			runtime.Gosched()
			m.queue.mu.Lock()
			queued = len(m.queue.wait)
			m.queue.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if commits.Load() != 1 || m.hdr.HighestModSeq != n {
		t.Errorf("%d commits, highest modseq %d; want 1 and %d", commits.Load(), m.hdr.HighestModSeq, n)
	}
}
