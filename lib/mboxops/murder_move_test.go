package mboxops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/site"
)

var alice = mboxops.Cargo{User: "alice"}

// traveller is a backend with a user who has some of everything.
func traveller(t *testing.T, m *master, more ...string) *site.Site {
	t.Helper()
	s := backend(t, m, append([]string{"allowusermoves: yes"}, more...)...)
	create(t, s, "cyrus", "user.alice", "user.bob", "shared", "shared.x")
	create(t, s, "alice", "user.alice.Foo", "user.alice.Foo.Deep", "user.alice.Old")
	for _, err := range []error{
		s.Ops.Delete(ctx, user("alice"), "user.alice.Old", mboxops.DeleteParams{}),
		s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits(1000)),
		s.Ops.SetQuota(ctx, user("cyrus"), "shared.x", limits(7)),
		s.Ops.Subscribe(ctx, user("alice"), "user.alice.Foo", true),
		s.Seen.For("alice", s.Ops.InboxID("alice")).Put("anid", seen.Record{LastUID: 3, UIDs: "1:3"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// types are the records at and below some names, with their types.
func types(t *testing.T, s *site.Site) (all []string) {
	t.Helper()
	err := s.List.Scan("", func(v mboxlist.View) error {
		n := string(v.Name())
		if v.Name().IsDeleted() {
			n = n[:strings.LastIndexByte(n, '.')] + ".TIME"
		}
		all = append(all, n+" "+string(v.Type()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// depart has a cargo depart, under the lock that hold takes as whoever moves it does.
func depart(t *testing.T, s *site.Site, c mboxops.Cargo, then func(context.Context, []*mboxlist.Entry) error) error {
	t.Helper()
	held, unlock, err := s.Mailboxes.LockUser(ctx, c.Owner())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	all, err := s.Ops.Depart(held, c, "be2.example.org")
	if err != nil {
		return err
	}
	return then(held, all)
}

func decide(s *site.Site) func(context.Context, []*mboxlist.Entry) error { return s.Ops.Decide }

func nothing(context.Context, []*mboxlist.Entry) error { return nil }

// TestDepart: what is on its way is refused to everybody at once, and comes back as it
// was.
func TestDepart(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	before, had := records(t, s), m.content()
	// Not with the lock held: who waits for it would wait here for ever.
	if err := depart(t, s, alice, nothing); err != nil {
		t.Fatal(err)
	}
	want := []string{"DELETED.user.alice.Old.TIME em", "shared e", "shared.x e", "user.alice em", "user.alice.Foo em", "user.alice.Foo.Deep em", "user.alice.Old ed", "user.bob e"}
	if got := types(t, s); !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	for n, e := range m.content() {
		if moves := strings.Contains(n, "alice"); moves != (e.State == mupdate.Reserved) || e.Server() != "be1.example.org" {
			t.Errorf("the master has %s %s %s", e.State, n, e.Location)
		}
	}
	for name, do := range map[string]func() error{
		"create":      func() error { return createErr(s, "user.alice.New") },
		"create deep": func() error { return createErr(s, "user.alice.Foo.Deep.New") },
		"delete":      func() error { return s.Ops.Delete(ctx, user("alice"), "user.alice.Foo.Deep", mboxops.DeleteParams{}) },
		"delete user": func() error { return s.Ops.Delete(ctx, mboxops.Root("cyrus"), "user.alice", mboxops.DeleteParams{}) },
		"rename": func() error {
			return s.Ops.Rename(ctx, user("alice"), "user.alice.Foo", "user.alice.Bar", mboxops.RenameParams{})
		},
		"rename to": func() error {
			return s.Ops.Rename(ctx, mboxops.Root("cyrus"), "user.bob", "user.alice.Bob", mboxops.RenameParams{})
		},
		"acl":       func() error { return s.Ops.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr") },
		"subscribe": func() error { return s.Ops.Subscribe(ctx, user("alice"), "user.alice.Foo", false) },
		"quota":     func() error { return s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits(5)) },
		"no quota":  func() error { return s.Ops.DeleteQuota(ctx, user("cyrus"), "user.alice") },
		"announce":  func() error { return s.Ops.Announce(ctx, user("cyrus"), "user.alice") },
		"annotate": func() error {
			return s.Ops.Annotate(ctx, "alice", "user.alice.Foo", false, []mboxops.Annotation{text("/comment", "x")})
		},
		"move":       func() error { return depart(t, s, alice, nothing) },
		"may depart": func() error { return s.Ops.MayDepart(ctx, alice) },
	} {
		if err := do(); !errors.Is(err, mboxops.ErrMoving) {
			t.Errorf("%s: %v, want %v", name, err, mboxops.ErrMoving)
		}
	}
	if err := createErr(s, "user.bob.New"); err != nil {
		t.Errorf("another user: %v", err)
	}
	if err := s.Ops.Delete(ctx, user("bob"), "user.bob.New", mboxops.DeleteParams{Now: true}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.Ops.Return(ctx, alice); err != nil {
			t.Fatal(err)
		}
		if got := records(t, s); got != before {
			t.Errorf("records, back again:\n%s\nwant\n%s", got, before)
		}
		if got := m.content(); fmt.Sprint(got) != fmt.Sprint(had) {
			t.Errorf("the master has\n%v\nwant\n%v", got, had)
		}
	}
	if err := s.Ops.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr"); err != nil {
		t.Error(err)
	}
}

func createErr(s *site.Site, n mboxname.Name) error {
	_, err := s.Ops.Create(ctx, user(n.Owner()), n, mboxops.CreateParams{})
	return err
}

// TestMayNotDepart: nothing has changed when the master says no, at whatever mailbox, or
// is away.
func TestMayNotDepart(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(m *master)
		cargo mboxops.Cargo
		want  error
	}{
		{"another server has one", func(m *master) { m.set(active("user.alice.Foo.Deep", them, "")) }, alice, mboxops.ErrReserved},
		{"another server makes one", func(m *master) {
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice.Foo", Location: them})
		}, alice, mboxops.ErrReserved},
		{"nobody", func(*master) {}, mboxops.Cargo{User: "nobody"}, mboxops.ErrNotFound},
		{"no mailbox", func(*master) {}, mboxops.Cargo{Mailbox: "nothing"}, mboxops.ErrNotFound},
		{"no master", func(m *master) { m.down() }, alice, mboxops.ErrNoMaster},
		{"the master goes away half way", func(m *master) {
			m.faults(func(n int) fault { return fault{down: n == 8, after: n == 8} })
		}, alice, mboxops.ErrNoMaster},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMaster(t)
			s := traveller(t, m)
			before := records(t, s)
			tc.setup(m)
			if err := depart(t, s, tc.cargo, nothing); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if got := records(t, s); got != before {
				t.Errorf("records\n%s\nwant\n%s", got, before)
			}
			box, err := s.List.Lookup("user.alice.Foo")
			if err != nil {
				t.Fatal(err)
			}
			open, err := s.Mailboxes.Open(ctx, box)
			if err != nil {
				t.Fatal(err)
			}
			open.Close()
		})
	}
}

// TestUnannounced: the master comes to know of mailboxes that it has never heard of, and
// keeps the names.
func TestUnannounced(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	m.set(mupdate.Entry{Name: "user.alice.Foo"})
	m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice", Location: us})
	if err := depart(t, s, alice, nothing); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"user.alice", "user.alice.Foo"} {
		if e := m.content()[n]; e.State != mupdate.Reserved || e.Location != us {
			t.Errorf("%s: %s %s", n, e.State, e.Location)
		}
	}
	if err := s.Ops.Return(ctx, alice); err != nil {
		t.Fatal(err)
	}
	agree(t, m, s)
}

// TestDecide: what is decided is nobody's here any more, and goes nowhere but forward.
func TestDecide(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	box, err := s.List.Lookup("user.alice.Foo")
	if err != nil {
		t.Fatal(err)
	}
	open, err := s.Mailboxes.Open(ctx, box)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := depart(t, s, alice, decide(s)); err != nil {
		t.Fatal(err)
	}
	if err := open.Update(ctx, func(tx *mailbox.Tx) error { tx.Header().LastUID++; return nil }); !errors.Is(err, mailbox.ErrNotFound) {
		t.Errorf("a session that has it open: %v", err)
	}
	if err := s.Ops.Return(ctx, alice); !errors.Is(err, mboxops.ErrMoving) {
		t.Errorf("going back: %v", err)
	}
	if _, stage, err := s.Ops.Underway(alice); stage != mboxops.Decided || err != nil {
		t.Errorf("stage %d, %v", stage, err)
	}

	t.Run("taken back", func(t *testing.T) {
		m := newMaster(t)
		s := traveller(t, m)
		before := records(t, s)
		if err := depart(t, s, alice, decide(s)); err != nil {
			t.Fatal(err)
		}
		if err := s.Ops.TakeBack(ctx, alice); err != nil {
			t.Fatal(err)
		}
		if got := records(t, s); got != before {
			t.Errorf("records\n%s\nwant\n%s", got, before)
		}
		agree(t, m, s)
	})

	for n := range m.content() {
		if strings.Contains(n, "alice") {
			m.set(active(mboxname.Name(n), them, aliceACL))
		}
	}
	m.heard()
	for range 2 {
		if err := s.Ops.Leave(ctx, alice, nil); err != nil {
			t.Fatal(err)
		}
	}
	if said := m.heard(); len(said) > 0 {
		t.Errorf("the master was told %q", said)
	}
	want := []string{"shared e", "shared.x e", "user.alice ed", "user.alice.Foo ed", "user.alice.Foo.Deep ed", "user.alice.Old ed", "user.bob e"}
	if got := types(t, s); !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	if _, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
		t.Errorf("quota root: %v", err)
	}
	if subs, err := s.Subs.List(s.Ops.User("alice")); len(subs) > 0 || err != nil {
		t.Errorf("subscriptions %q, %v", subs, err)
	}
	// Of others' mailboxes, which stay, what was seen is remembered.
	if r, err := s.Seen.For("alice", s.Ops.InboxID("alice")).Get("anid"); r.UIDs != "1:3" || err != nil {
		t.Errorf("seen %+v, %v", r, err)
	}
	if _, err := os.Stat(s.Layout.UserFile("alice", "sub", box.UniqueID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("subscriptions of old: %v", err)
	}
	agree(t, m, s)

	// And when the user comes back, too.
	if _, err := s.Ops.Local().CreateReplica(ctx, "user.alice", mboxops.ReplicaParams{
		UniqueID: "11111111-2222-4333-8444-555555555555", Partition: "default", ACL: aliceACL, UIDValidity: 7, CreatedModSeq: 1, FolderModSeq: 1,
	}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Seen.For("alice", s.Ops.InboxID("alice")).Get("anid"); r.UIDs != "1:3" || err != nil {
		t.Errorf("seen, back again: %+v, %v", r, err)
	}
}

// TestLeaveShared: a shared mailbox that is a quota root takes it along, unless others
// are under it.
func TestLeaveShared(t *testing.T) {
	for _, tc := range []struct {
		box  mboxname.Name
		root bool // stays
	}{{"shared.x", false}, {"shared", true}} {
		m := newMaster(t)
		s := traveller(t, m)
		if err := s.Ops.SetQuota(ctx, user("cyrus"), "shared", limits(9)); err != nil {
			t.Fatal(err)
		}
		c := mboxops.Cargo{Mailbox: tc.box}
		if err := depart(t, s, c, decide(s)); err != nil {
			t.Fatal(err)
		}
		if err := s.Ops.Leave(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
		q, err := s.Quota.Get(tc.box)
		if (err == nil) != tc.root || tc.root && q.Used[quota.Mailbox] != 0 {
			t.Errorf("%s: quota root %+v, %v", tc.box, q, err)
		}
		if e, err := s.List.Lookup(tc.box); err != nil || !e.Deleted() {
			t.Errorf("%s: %+v, %v", tc.box, e, err)
		}
	}
}

// TestLeaveUnified: where every server is a frontend too, the record says who has it.
func TestLeaveUnified(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m, "mupdate_config: unified")
	if err := depart(t, s, alice, decide(s)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Leave(ctx, alice, nil); err != nil {
		t.Fatal(err)
	}
	e, err := s.List.Lookup("user.alice.Foo")
	if err != nil || e.Type != "er" || e.Server != "be2.example.org" || e.ACL != aliceACL || e.UniqueID != "" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, stage, err := s.Ops.Underway(alice); stage != mboxops.NotHere || err != nil {
		t.Errorf("stage %d, %v", stage, err)
	}
}

// TestMoveAgainstPush: ctl_mboxlist -m waits for a move that goes on, and then leaves
// alone what came of it.
func TestMoveAgainstPush(t *testing.T) {
	m := newMaster(t)
	s := traveller(t, m)
	held, unlock, err := s.Mailboxes.LockUser(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Ops.Depart(held, alice, "be2.example.org")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(chan struct{})
	m.faults(func(n int) fault {
		if n == 1 {
			close(listed)
		}
		return fault{}
	})
	pushed := make(chan error, 1)
	go func() { pushed <- s.Ops.Push(ctx, mboxops.PushOptions{}) }()
	// It has asked what the master has when they are under way.
	<-listed
	if err := s.Ops.Decide(held, all); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	if _, stage, err := s.Ops.Underway(alice); stage != mboxops.Decided || err != nil {
		t.Errorf("stage %d, %v", stage, err)
	}
}
