package mboxops_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
)

// active is an entry of a master.
func active(n mboxname.Name, location, acl string) mupdate.Entry {
	return mupdate.Entry{State: mupdate.Active, Name: n, Location: location, ACL: acl}
}

// moving flags the record of a mailbox as one that is on its way to another server.
func moving(t *testing.T, s *site.Site, n mboxname.Name, decided bool) {
	t.Helper()
	err := s.List.Update(func(tx *mboxlist.Tx) error {
		e, err := tx.Lookup(n)
		if err != nil {
			return err
		}
		e.Type, e.Server = mboxlist.With(e.Type, mboxlist.FlagMoving), "be2.example.org"
		if decided {
			e.Type = mboxlist.With(e.Type, mboxlist.FlagRemote)
		}
		return tx.Put(e)
	})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	us   = "be1.example.org!default"
	them = "be2.example.org!default"
)

// TestPush: what is found, in Cyrus's order and words, and that it is put right. The
// mailboxes are user.alice, user.alice.Foo, user.alice.a-b, user.alice.a.b, which the
// master has right before setup.
func TestPush(t *testing.T) {
	for _, tc := range []struct {
		name  string
		conf  string
		setup func(t *testing.T, m *master, s *site.Site)
		p     mboxops.PushOptions
		want  []string
		gone  []mboxname.Name // from here
		keeps bool            // a disagreement is left
	}{
		{"all is well, in whatever order it is listed", "", func(*testing.T, *master, *site.Site) {}, mboxops.PushOptions{}, nil, nil, false},
		{"ghosts, the last first", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.ghost", us, ""))
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.half", Location: us})
			m.set(active("user.other", "be1.example.org.example.com!default", ""))
		}, mboxops.PushOptions{}, []string{"Remove from MUPDATE: user.half", "Remove from MUPDATE: user.ghost"}, nil, false},
		{"wrong partition, list and state", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice", "be1.example.org!", aliceACL))
			m.set(active("user.alice.Foo", us, "alice\tlrs\t"))
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice.a-b", Location: us})
		}, mboxops.PushOptions{}, []string{"Force Activate: user.alice", "Force Activate: user.alice.Foo", "Force Activate: user.alice.a-b"}, nil, false},
		{"the same list, as another master spells it", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice", us, strings.TrimSuffix(aliceACL, "\t")))
		}, mboxops.PushOptions{}, nil, nil, false},
		{"not there", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(mupdate.Entry{Name: "user.alice.Foo"})
		}, mboxops.PushOptions{}, []string{"Force Activate: user.alice.Foo"}, nil, false},
		{"another has it", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice.Foo", them, aliceACL))
		}, mboxops.PushOptions{}, []string{"Remove Local Mailbox: user.alice.Foo"}, []mboxname.Name{"user.alice.Foo"}, true},
		{"another has it, and may not", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice.Foo", them, aliceACL))
		}, mboxops.PushOptions{Authoritative: true}, []string{"Force Activate: user.alice.Foo"}, nil, false},
		{"another has it, one of many", "mupdate_config: unified", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice.Foo", them, aliceACL))
		}, mboxops.PushOptions{}, nil, nil, true},
		{"the removal is not confirmed", "", func(_ *testing.T, m *master, _ *site.Site) {
			m.set(active("user.alice.Foo", them, aliceACL))
		}, mboxops.PushOptions{Confirm: func(n int) bool { return n != 1 }}, []string{"Remove Local Mailbox: user.alice.Foo"}, nil, true},
		{"a move of which nothing came", "", func(t *testing.T, m *master, s *site.Site) {
			moving(t, s, "user.alice.Foo", false)
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice.Foo", Location: us})
			moving(t, s, "user.alice.a-b", false)
			m.set(mupdate.Entry{Name: "user.alice.a-b"})
		}, mboxops.PushOptions{}, []string{"Remove remote flag on: user.alice.Foo", "Remove remote flag on: user.alice.a-b"}, nil, false},
		{"a move that died, and another has it", "", func(t *testing.T, m *master, s *site.Site) {
			moving(t, s, "user.alice.Foo", false)
			m.set(active("user.alice.Foo", them, aliceACL))
		}, mboxops.PushOptions{}, []string{"Remove Local Mailbox: user.alice.Foo"}, []mboxname.Name{"user.alice.Foo"}, true},
		{"a move that is decided and not done", "", func(t *testing.T, m *master, s *site.Site) {
			moving(t, s, "user.alice.Foo", true)
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice.Foo", Location: us})
		}, mboxops.PushOptions{}, nil, nil, true},
		{"a move that is decided, and an administrator who decides otherwise", "", func(t *testing.T, m *master, s *site.Site) {
			moving(t, s, "user.alice.Foo", true)
			m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.alice.Foo", Location: us})
		}, mboxops.PushOptions{Authoritative: true}, []string{"Remove remote flag on: user.alice.Foo"}, nil, false},
		{"a master that lost everything", "", func(_ *testing.T, m *master, _ *site.Site) {
			for n := range m.content() {
				m.set(mupdate.Entry{Name: mboxname.Name(n)})
			}
		}, mboxops.PushOptions{}, []string{
			"Force Activate: user.alice", "Force Activate: user.alice.Foo", "Force Activate: user.alice.a", "Force Activate: user.alice.a.b", "Force Activate: user.alice.a-b",
		}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMaster(t)
			s := backend(t, m, tc.conf)
			create(t, s, "cyrus", "user.alice")
			create(t, s, "alice", "user.alice.Foo", "user.alice.a.b", "user.alice.a-b")
			tc.setup(t, m, s)
			before, had := records(t, s), m.content()

			look := tc.p
			var found []string
			look.Found = func(text string) { found = append(found, text) }
			if err := s.Ops.Push(ctx, look); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(found, tc.want) {
				t.Errorf("found %q, want %q", found, tc.want)
			}
			if after := records(t, s); after != before || fmt.Sprint(m.content()) != fmt.Sprint(had) {
				t.Error("something changed, though it was only to be looked")
			}

			err := s.Ops.Push(ctx, tc.p)
			if cancelled := tc.p.Confirm != nil; err != nil && (!cancelled || !errors.Is(err, mboxops.ErrCancelled)) || cancelled && err == nil {
				t.Fatal(err)
			}
			for _, n := range tc.gone {
				if e, err := s.List.Lookup(n); err == nil && !e.Deleted() {
					t.Errorf("%s is still here", n)
				}
				if !slices.Contains(live(t, s), "DELETED."+string(n)+".TIME") {
					t.Errorf("%s has not become a deleted mailbox: %v", n, live(t, s))
				}
				for n := range m.content() {
					if mboxname.Name(n).IsDeleted() {
						t.Errorf("a removal that is local was announced: %s", n)
					}
				}
			}
			if !tc.keeps {
				agree(t, m, s)
			}
		})
	}
}

// TestPushMany: a master without any of many mailboxes gets them all, and those that
// another has are asked for at once.
func TestPushMany(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	const n = 700 // more than is announced at a time
	create(t, s, "cyrus", "shared")
	err := s.List.Update(func(tx *mboxlist.Tx) error {
		for i := range n {
			e := &mboxlist.Entry{Name: mboxname.Name(fmt.Sprintf("user.u%03d", i)), UniqueID: fmt.Sprintf("id%d", i), Partition: "default", ACL: "anyone\tlrs\t"}
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m.faults(nil)
	if err := s.Ops.Push(ctx, mboxops.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	agree(t, m, s)
	if _, all := m.asked(); all > n+10 {
		t.Errorf("%d commands for %d mailboxes", all, n)
	}
}

// TestPushMeanwhile pushes while mailboxes come and go: in the end the master has what
// is here.
func TestPushMeanwhile(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	create(t, s, "cyrus", "user.alice", "user.bob")
	var all sync.WaitGroup
	for _, who := range []string{"alice", "bob"} {
		all.Go(func() {
			inbox := mboxname.Inbox(who)
			for i := range 12 {
				a, b := inbox.Child(fmt.Sprint("a", i)), inbox.Child(fmt.Sprint("b", i))
				_, err := s.Ops.Create(ctx, user(who), a, mboxops.CreateParams{})
				if err == nil {
					err = s.Ops.SetACL(ctx, user(who), a, "anyone", "lrs")
				}
				if err == nil {
					err = s.Ops.Rename(ctx, user(who), a, b, mboxops.RenameParams{})
				}
				if err == nil && i%2 == 0 {
					err = s.Ops.Delete(ctx, user(who), b, mboxops.DeleteParams{Now: i%4 == 0})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for pushes := 0; ; pushes++ {
		// One that finds the master wrong has more to do.
		m.set(mupdate.Entry{State: mupdate.Reserved, Name: "user.bob", Location: us})
		if err := s.Ops.Push(ctx, mboxops.PushOptions{}); err != nil {
			t.Error(err)
		}
		select {
		case <-done:
			if pushes == 0 {
				t.Error("no push was made meanwhile")
			}
			agree(t, m, s)
			return
		default:
		}
	}
}

// TestPushStale: a mailbox that changes between the look at it and what the master is
// told of it.
func TestPushStale(t *testing.T) {
	for what, change := range map[string]func(o *mboxops.Ops) error{
		"another list": func(o *mboxops.Ops) error { return o.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr") },
		"gone": func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{Now: true})
		},
	} {
		m := newMaster(t)
		s := backend(t, m)
		create(t, s, "cyrus", "user.alice")
		create(t, s, "alice", "user.alice.Foo")
		m.set(mupdate.Entry{Name: "user.alice.Foo"})
		m.faults(func(n int) fault {
			if n != 2 { // FIND
				return fault{}
			}
			return fault{also: func() {
				// As one would that had told the master before it was asked.
				if err := change(s.Ops.Local()); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}}
		})
		if err := s.Ops.Push(ctx, mboxops.PushOptions{}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		agree(t, m, s)
	}
}

// TestPushLost: the master goes away in the middle.
func TestPushLost(t *testing.T) {
	for at := 1; at <= 4; at++ {
		m := newMaster(t)
		s := backend(t, m)
		create(t, s, "cyrus", "user.alice", "user.bob")
		m.set(active("user.ghost", us, ""))
		m.set(mupdate.Entry{Name: "user.alice"})
		m.faults(func(n int) fault { return fault{before: n == at, down: n == at} })
		if err := s.Ops.Push(ctx, mboxops.PushOptions{}); !errors.Is(err, mboxops.ErrNoMaster) {
			t.Errorf("command %d: %v", at, err)
		}
		var failed *mboxops.PushError
		if err := s.Ops.Push(ctx, mboxops.PushOptions{}); !errors.As(err, &failed) || failed.Text != "couldn't connect to mupdate server" {
			t.Errorf("no master: %v", err)
		}
		m.faults(nil)
		m.up()
		if err := s.Ops.Push(ctx, mboxops.PushOptions{}); err != nil {
			t.Error(err)
		}
		agree(t, m, s)
	}
}
