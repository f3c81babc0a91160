package index

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
)

// client is what a client knows: it learns from Changes alone.
type client struct {
	uids []uint32
}

func (c *client) learn(t *testing.T, s *State, ch *Changes, hold bool) {
	t.Helper()
	if hold && len(ch.Gone) > 0 {
		t.Fatal("numbers changed while held")
	}
	for _, g := range ch.Gone {
		if g.Seq < 1 || g.Seq > len(c.uids) || c.uids[g.Seq-1] != g.UID {
			t.Fatalf("gone %v of %v", g, c.uids)
		}
		c.uids = slices.Delete(c.uids, g.Seq-1, g.Seq)
	}
	if ch.Exists != (s.Exists() > len(c.uids)) {
		t.Fatalf("exists %v: %d, client has %d", ch.Exists, s.Exists(), len(c.uids))
	}
	for len(c.uids) < s.Exists() {
		c.uids = append(c.uids, s.UID(len(c.uids)+1))
	}
	for i, uid := range c.uids {
		if s.UID(i+1) != uid {
			t.Fatalf("uid of %d is %d, client has %d", i+1, s.UID(i+1), uid)
		}
		if seq, ok := s.Seq(uid); !ok || seq != i+1 {
			t.Fatalf("number of uid %d is %d, want %d", uid, seq, i+1)
		}
	}
	for _, seq := range ch.Flags {
		if seq < 1 || seq > len(c.uids) {
			t.Fatalf("flags of %d of %d", seq, len(c.uids))
		}
	}
}

// TestClients lets sessions that hold numbers and sessions that do not look at a
// mailbox that changes at random: what each is told makes its client's view its
// own, and the mailbox's when nothing is held.
func TestClients(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(20, 0)
	rng := rand.New(rand.NewPCG(3, 4))
	var states [3]*State
	var clients [3]client
	for i := range states {
		states[i] = b.open(owner, i == 2)
		for seq := range states[i].Exists() {
			clients[i].uids = append(clients[i].uids, states[i].UID(seq+1))
		}
	}
	for range 400 {
		live := b.live()
		switch rng.IntN(4) {
		case 0:
			b.add(1+rng.IntN(3), indexfile.Flags(rng.IntN(16)))
		case 1:
			if len(live) > 0 {
				b.expunge(live[rng.IntN(len(live))])
			}
		case 2:
			if len(live) > 0 {
				b.flag(live[rng.IntN(len(live))], indexfile.Flags(1<<rng.IntN(5)))
			}
		}
		i := rng.IntN(len(states))
		hold := rng.IntN(2) == 0
		clients[i].learn(t, states[i], b.refresh(states[i], hold), hold)
		if !hold && !slices.Equal(clients[i].uids, b.live()) {
			t.Fatalf("client has %v, mailbox %v", clients[i].uids, b.live())
		}
	}
}

// TestTold is what one session hears of another's doings.
func TestTold(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(5, 0)
	s := b.open(owner, false)
	b.flag(2, indexfile.Flagged)
	b.flag(4, indexfile.Flagged)
	if c := b.refresh(s, true); !slices.Equal(c.Flags, []int{2, 4}) || c.Exists || c.Keywords {
		t.Errorf("after flags: %+v", c)
	}
	if c := b.refresh(s, false); !c.Empty() {
		t.Errorf("told twice: %+v", c)
	}
	b.expunge(1)
	b.flag(3, indexfile.Seen)
	b.add(1, 0, "New")
	c := b.refresh(s, true)
	if len(c.Gone) != 0 || !c.Exists || !c.Keywords || !slices.Equal(c.Flags, []int{3}) || s.Exists() != 6 {
		t.Errorf("held: %+v, %d", c, s.Exists())
	}
	if got := b.flags(s, 1); got != `\Recent` {
		t.Errorf("the expunged message has %q", got)
	}
	c = b.refresh(s, false)
	if !slices.Equal(c.Gone, []Gone{{1, 1}}) || c.Exists || len(c.Flags) != 0 || s.Exists() != 5 {
		t.Errorf("let go: %+v, %d", c, s.Exists())
	}
}

// TestRecent: one session, and one only, has a message as \Recent.
func TestRecent(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, 0)
	look := b.open(owner, true)
	first := b.open(owner, false)
	second := b.open(owner, false)
	if look.Recent() != 3 || first.Recent() != 3 || second.Recent() != 0 {
		t.Errorf("recent %d %d %d, want 3 3 0", look.Recent(), first.Recent(), second.Recent())
	}
	b.add(2, 0)
	b.refresh(second, false)
	b.refresh(first, false)
	if first.Recent() != 3 || second.Recent() != 2 {
		t.Errorf("recent %d %d, want 3 2", first.Recent(), second.Recent())
	}
	b.expunge(4)
	b.refresh(second, false)
	if second.Recent() != 1 {
		t.Errorf("recent %d, want 1", second.Recent())
	}
}

func TestStore(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rights string
		st     Store
		want   string // flags of a message that had \Flagged and old
		err    error
	}{
		{"add", "lrswt", Store{Op: Add, System: indexfile.Seen, Keywords: []string{"New"}}, `\Flagged \Seen old New`, nil},
		{"remove", "lrswt", Store{Op: Remove, System: indexfile.Flagged, Keywords: []string{"OLD"}}, ``, nil},
		{"remove unknown", "lrswt", Store{Op: Remove, Keywords: []string{"None"}}, `\Flagged old`, nil},
		{"replace", "lrswt", Store{Op: Replace, System: indexfile.Draft}, `\Draft`, nil},
		{"case of first use", "lrswt", Store{Op: Replace, Keywords: []string{"oLd"}}, `old`, nil},
		{"no right to \\Deleted", "lrsw", Store{Op: Add, System: indexfile.Deleted}, `\Flagged old`, ErrRights},
		{"what is allowed", "lrsw", Store{Op: Add, System: indexfile.Deleted | indexfile.Draft}, `\Flagged \Draft old`, nil},
		{"replace needs all", "lrsw", Store{Op: Replace, System: indexfile.Deleted | indexfile.Draft}, `\Flagged old`, ErrRights},
		{"replace leaves what one may not change", "lrs", Store{Op: Replace, System: indexfile.Seen}, `\Flagged \Seen old`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBox(t, newStore(t), "user.alice")
			b.add(1, indexfile.Flagged, "old")
			b.open(owner, false) // takes \Recent
			rights, err := acl.Parse(tc.rights)
			if err != nil {
				t.Fatal(err)
			}
			s := b.open(Who{User: "alice", Owner: true, Rights: rights}, false)
			_, err = s.Store(t.Context(), all(s), tc.st)
			if !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			b.refresh(s, true)
			if got := b.flags(s, 1); got != tc.want {
				t.Errorf("flags %q, want %q", got, tc.want)
			}
		})
	}
}

func TestStoreReadOnly(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(1, 0)
	s := b.open(owner, true)
	if _, err := s.Store(t.Context(), all(s), Store{Op: Add, System: indexfile.Seen}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("error %v", err)
	}
}

// TestConditional: RFC 7162 section 3.1.3.
func TestConditional(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, 0)
	s := b.open(owner, false)
	since := s.Told()
	b.flag(2, indexfile.Flagged)
	failed, err := s.Store(t.Context(), all(s), Store{Op: Add, System: indexfile.Draft, Conditional: true, UnchangedSince: since})
	if err != nil || !slices.Equal(failed, nums("2")) {
		t.Errorf("failed %v, %v", failed, err)
	}
	if c := b.refresh(s, true); !slices.Equal(c.Flags, []int{1, 2, 3}) {
		t.Errorf("told %+v", c)
	}
}

// TestSilent: the session's own change is kept apart, another's is told.
func TestSilent(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, 0)
	s := b.open(owner, false)
	if _, err := s.Store(t.Context(), all(s), Store{Op: Add, System: indexfile.Draft, Silent: true}); err != nil {
		t.Fatal(err)
	}
	b.flag(2, indexfile.Flagged)
	if c := b.refresh(s, true); !slices.Equal(c.Silent, []int{1, 3}) || !slices.Equal(c.Flags, []int{2}) {
		t.Errorf("told %+v", c)
	}
	told := s.Told()
	if _, err := s.Store(t.Context(), all(s), Store{Op: Add, System: indexfile.Draft}); err != nil {
		t.Fatal(err)
	}
	if c := b.refresh(s, true); !c.Empty() || s.Told() != told {
		t.Errorf("a change of nothing is told: %+v, modseq %d after %d", c, s.Told(), told)
	}
}

// TestOthers: who does not own the mailbox has a \Seen and \Recent of their own.
func TestOthers(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, indexfile.Seen)
	store := seenMap{}
	bob := Who{User: "bob", Rights: acl.Full, Seen: store}
	s := b.open(bob, false)
	if got := b.flags(s, 1); got != `\Recent` {
		t.Errorf("bob sees %q", got)
	}
	if again := b.open(bob, false); again.Recent() != 0 {
		t.Errorf("recent again: %d", again.Recent())
	}
	if _, err := s.Store(t.Context(), nums("2:3"), Store{Op: Add, System: indexfile.Seen}); err != nil {
		t.Fatal(err)
	}
	if got := store[b.UniqueID()].UIDs; got != "2:3" {
		t.Errorf("seen set %q", got)
	}
	if c := b.refresh(s, true); !slices.Equal(c.Flags, []int{2, 3}) {
		t.Errorf("told %+v", c)
	}
	if got := b.flags(s, 2); got != `\Recent \Seen` {
		t.Errorf("bob sees %q", got)
	}
	err := s.View(t.Context(), func(r *Reader) error {
		if n := r.FirstUnseen(); n != 1 {
			t.Errorf("first unseen %d", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	alice := b.open(owner, false)
	if _, err := alice.Store(t.Context(), all(alice), Store{Op: Remove, System: indexfile.Seen}); err != nil {
		t.Fatal(err)
	}
	b.refresh(s, true)
	if got := b.flags(s, 2); got != `\Recent \Seen` {
		t.Errorf("alice's change reached bob: %q", got)
	}
}

func TestResolve(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(9, 0)
	b.expunge(2, 5, 9) // left: 1 3 4 6 7 8
	s := b.open(owner, false)
	for _, tc := range []struct {
		name string
		set  imap.NumSet
		want Numbers
	}{
		{"numbers", imap.SeqSet{{Start: 2, Stop: 3}, {Start: 5, Stop: 5}}, nums("2:3,5")},
		{"beyond", imap.SeqSet{{Start: 5, Stop: 99}, {Start: 7, Stop: 8}}, nums("5:6")},
		{"star", imap.SeqSet{{Start: 0, Stop: 0}}, nums("6")},
		{"to star", imap.SeqSet{{Start: 4, Stop: 0}}, nums("4:6")},
		{"from beyond to star", imap.SeqSet{{Start: 9, Stop: 0}}, nums("6")},
		{"uids", imap.UIDSet{{Start: 2, Stop: 5}}, nums("2:3")},
		{"no such uid", imap.UIDSet{{Start: 5, Stop: 5}}, nil},
		{"uid star", imap.UIDSet{{Start: 0, Stop: 0}}, nums("6")},
		{"uid from beyond to star", imap.UIDSet{{Start: 20, Stop: 0}}, nums("6")},
		{"any order", imap.UIDSet{{Start: 7, Stop: 8}, {Start: 1, Stop: 4}, {Start: 3, Stop: 6}}, nums("1:6")},
		{"largest uid", imap.UIDSet{{Start: 1, Stop: 1<<32 - 1}}, nums("1:6")},
		{"saved", imap.SearchRes(), nums("2:3")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := s.Resolve(tc.set, set("3:5")); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
