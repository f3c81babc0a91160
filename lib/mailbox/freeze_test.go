package mailbox

import (
	"errors"
	"testing"

	"gocyrus/lib/quota"
)

// TestFreeze: who has a frozen mailbox open, or comes for it, finds none, in this process
// and in another; thawed it is what it was, and removed it is off its quota root once.
func TestFreeze(t *testing.T) {
	s, e, q := withQuota(t, 10)
	m := open(t, s, e)
	add(t, m, 3)
	before := messages(t, m)
	// Another process has the index open and has seen it.
	other := NewStore(*s.Options(), nil, nil)
	t.Cleanup(other.Close)
	o := open(t, other, e)
	absent := func(what string) {
		t.Helper()
		for name, m := range map[string]*Mailbox{"this process": m, "another": o} {
			if err := m.View(t.Context(), func(*View) error { return nil }); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s, %s: reading: %v", what, name, err)
			}
			if err := m.Update(t.Context(), func(tx *Tx) error { return tx.Expunge(1) }); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s, %s: writing: %v", what, name, err)
			}
			if _, ok := m.Known(); ok {
				t.Errorf("%s, %s: known without a lock", what, name)
			}
		}
		if _, err := s.Open(t.Context(), e); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: opening: %v", what, err)
		}
	}
	used := quota.Usage{3 * int64(before[0].Size), 3, 0, 1}

	for _, again := range []string{"frozen", "frozen again"} {
		if err := s.Freeze(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		absent(again)
		wantUsage(t, q, "user.alice", used)
	}
	for range 2 {
		if err := s.Thaw(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		checkSame(t, m, before, 0)
		checkSame(t, o, before, 0)
	}
	add(t, m, 1)
	if err := m.Update(t.Context(), func(tx *Tx) error { return tx.Expunge(4) }); err != nil {
		t.Fatal(err)
	}

	if err := s.Freeze(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveFrozen(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	absent("removed")
	wantUsage(t, q, "user.alice", quota.Usage{})
	// As after a process that was killed before it could say that it is done.
	if err := s.RemoveFrozen(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, q, "user.alice", quota.Usage{})
	if err := s.Thaw(t.Context(), e); !errors.Is(err, ErrNotFound) {
		t.Errorf("thawing what is gone: %v", err)
	}
}
