package mboxops_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

// opens fails the test unless a mailbox that is here can be opened.
func opens(t *testing.T, s *site.Site, n mboxname.Name) {
	t.Helper()
	e, err := s.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	box, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		t.Errorf("%s: %v", n, err)
		return
	}
	box.Close()
}

// TestLeavePart: of mailboxes of a user that moved each by itself only what is decided leaves,
// whatever is under way beside it, and what belongs to the user stays with the INBOX.
func TestLeavePart(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	if err := depart(t, s, mboxops.Cargo{Mailbox: "user.alice.Foo.Deep"}, decide(s)); err != nil {
		t.Fatal(err)
	}
	if err := depart(t, s, mboxops.Cargo{Mailbox: "user.alice.Foo"}, nothing); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Leave(ctx, alice, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{"DELETED.user.alice.Old.TIME e", "shared e", "shared.x e", "user.alice e", "user.alice.Foo em", "user.alice.Foo.Deep ed", "user.alice.Old ed", "user.bob e"}
	if got := types(t, s); !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	if r, err := s.Seen.For("alice", s.Ops.InboxID("alice")).Get("anid"); r.UIDs != "1:3" || err != nil {
		t.Errorf("seen %+v, %v", r, err)
	}
	if subs, err := s.Subs.List(s.Ops.User("alice")); len(subs) != 1 || err != nil {
		t.Errorf("subscriptions %q, %v", subs, err)
	}
	if _, err := s.Quota.Get("user.alice"); err != nil {
		t.Errorf("quota root: %v", err)
	}
	opens(t, s, "user.alice.Foo") // has its files
}

// TestLeaveFirst: what is decided and still here does not come back before it has left: its
// files are all there is until the other server has announced its own.
func TestLeaveFirst(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	box := lookup(t, s, "user.alice")
	if err := depart(t, s, alice, decide(s)); err != nil {
		t.Fatal(err)
	}
	back := replica(box.UniqueID)
	if _, err := s.Ops.Local().CreateReplica(ctx, "user.alice", back); !errors.Is(err, mboxops.ErrExists) {
		t.Errorf("over what is leaving: %v", err)
	}
	if _, stage, err := s.Ops.Underway(alice); stage != mboxops.Decided || err != nil {
		t.Errorf("stage %d, %v", stage, err)
	}
	if err := s.Ops.Leave(ctx, alice, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ops.Local().CreateReplica(ctx, "user.alice", back); err != nil {
		t.Error(err)
	}
}

// TestLeaveAside: what was removed at the other server, as far as anybody knows, is here what
// it would be had it been deleted here: kept for a while, or gone. The rest leaves.
func TestLeaveAside(t *testing.T) {
	for mode, kept := range map[string][]string{
		"delayed": {"DELETED.user.alice.Foo.TIME e", "DELETED.user.alice.TIME e"}, "immediate": nil,
	} {
		t.Run(mode, func(t *testing.T) {
			m := newMaster(t)
			s := traveller(t, m, "delete_mode: "+mode)
			if err := depart(t, s, alice, decide(s)); err != nil {
				t.Fatal(err)
			}
			inboxID := s.Ops.InboxID("alice")
			aside := map[mboxname.Name]bool{"user.alice": true, "user.alice.Foo": true}
			m.heard()
			for range 2 {
				if err := s.Ops.Leave(ctx, alice, aside); err != nil {
					t.Fatal(err)
				}
			}
			if said := m.heard(); len(said) > 0 {
				t.Errorf("the master was told %q", said)
			}
			want := append(slices.Clone(kept), "shared e", "shared.x e", "user.alice ed", "user.alice.Foo ed", "user.alice.Foo.Deep ed", "user.alice.Old ed", "user.bob e")
			if got := types(t, s); !slices.Equal(got, want) {
				t.Errorf("records %q, want %q", got, want)
			}
			if _, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
				t.Errorf("quota root: %v", err)
			}
			if _, err := os.Stat(s.Layout.UserFile("alice", "sub", inboxID)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("subscriptions: %v", err)
			}
			all, err := s.Ops.OfUser("alice")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				opens(t, s, e.Name)
			}
		})
	}
}
