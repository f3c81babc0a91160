package index

import (
	"errors"
	"slices"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
)

// TestStoreRefresh checks that a change of flags and what is told of it agree
// with Store followed by Refresh, whatever others did meanwhile.
func TestStoreRefresh(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(b *box)
		set    string
		st     Store
		hold   bool
	}{
		{name: "own change", set: "2", st: Store{Op: Add, System: indexfile.Flagged}},
		{name: "no message", set: "", st: Store{Op: Add, System: indexfile.Flagged}},
		{name: "no difference", set: "2", st: Store{Op: Remove, System: indexfile.Flagged}},
		{name: "keyword", set: "1:3", st: Store{Op: Add, Keywords: []string{"$new"}}},
		{name: "silent", set: "1:2", st: Store{Op: Add, System: indexfile.Flagged, Silent: true}},
		{name: "conditional", before: func(b *box) { b.flag(2, indexfile.Seen) }, set: "1:3", st: Store{Op: Add, System: indexfile.Flagged, Conditional: true, UnchangedSince: 6}},
		{name: "new messages to claim", before: func(b *box) { b.add(2, 0) }, set: "1", st: Store{Op: Add, System: indexfile.Flagged}},
		{name: "expunged, held", before: func(b *box) { b.expunge(1) }, set: "2", st: Store{Op: Add, System: indexfile.Flagged}, hold: true},
		{name: "expunged, told", before: func(b *box) { b.expunge(1) }, set: "1:3", st: Store{Op: Add, System: indexfile.Flagged}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			make := func() (*box, *State) {
				b := newBox(t, newStore(t), mboxname.Inbox("bob"))
				b.add(4, 0)
				s := b.open(owner, false)
				if tc.before != nil {
					tc.before(b)
				}
				return b, s
			}
			b, s := make()
			wantFailed, err := s.Store(t.Context(), nums(tc.set), tc.st)
			if err != nil {
				t.Fatal(err)
			}
			want := b.refresh(s, tc.hold)

			b, s = make()
			shown := false
			failed, c, err := s.StoreRefresh(t.Context(), nums(tc.set), tc.st, tc.hold, func(r *Reader, c *Changes) {
				shown = true
				for _, seq := range slices.Concat(c.Flags, c.Silent) {
					if raw, ok := r.Raw(seq); !ok || raw.UID() != s.UID(seq) {
						t.Errorf("message %d: %v", seq, ok)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(failed, wantFailed) {
				t.Errorf("failed %v, want %v", failed, wantFailed)
			}
			if !slices.Equal(c.Gone, want.Gone) || c.Exists != want.Exists || c.Keywords != want.Keywords ||
				!slices.Equal(c.Flags, want.Flags) || !slices.Equal(c.Silent, want.Silent) {
				t.Errorf("told %+v, want %+v", *c, *want)
			}
			if shown == c.Empty() {
				t.Errorf("shown %v", shown)
			}
			if again := b.refresh(s, tc.hold); !again.Empty() {
				t.Errorf("told again: %+v", *again)
			}
		})
	}
}

// TestStoreRefreshGone checks that a change is done whose mailbox has gone before what
// else there is to tell could be read, as one of a user who moves to another server.
func TestStoreRefreshGone(t *testing.T) {
	leave := func() {}
	b := newBox(t, newStore(t, change.Func(func(*change.Commit) { leave() })), mboxname.Inbox("bob"))
	b.add(1, 0)
	s := b.open(owner, false)
	b.add(1, 0) // to be claimed, which takes another lock
	var flags indexfile.Flags
	leave = func() {
		leave = func() {}
		err := b.View(t.Context(), func(v *mailbox.View) error {
			flags = v.Raw(1).Flags()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := b.store.Remove(t.Context(), b.Entry()); err != nil {
			t.Error(err)
		}
	}
	failed, c, err := s.StoreRefresh(t.Context(), nums("1"), Store{Op: Add, System: indexfile.Flagged}, true, func(*Reader, *Changes) {})
	if flags&indexfile.Flagged == 0 {
		t.Fatal("nothing was changed before the mailbox went")
	}
	if err != nil || len(failed) > 0 || !c.Empty() {
		t.Errorf("%v, %+v, %v", failed, *c, err)
	}
	if _, err := s.Refresh(t.Context(), true); !errors.Is(err, mailbox.ErrNotFound) {
		t.Errorf("then: %v", err)
	}
}

// TestRefreshOther checks that a view whose mailbox is known without a lock still
// hears of what another process does.
func TestRefreshOther(t *testing.T) {
	s := newStore(t)
	b := newBox(t, s, mboxname.Inbox("bob"))
	b.add(2, 0)
	mine := b.open(owner, false)
	other := mailbox.NewStore(*s.Options(), nil, nil)
	defer other.Close()
	m, err := other.Open(t.Context(), b.Entry())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 3 {
		if c := b.refresh(mine, true); !c.Empty() {
			t.Fatalf("told %+v", *c)
		}
		err := m.Update(t.Context(), func(tx *mailbox.Tx) error {
			var r indexfile.Record
			if err := tx.Record(1, &r); err != nil {
				return err
			}
			r.Flags ^= indexfile.Flagged
			return tx.Rewrite(1, &r)
		})
		if err != nil {
			t.Fatal(err)
		}
		if c := b.refresh(mine, true); !slices.Equal(c.Flags, []int{1}) {
			t.Fatalf("told %+v, want a change of 1", *c)
		}
	}
}
