package mboxops_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/site"
)

// TestGoBackUnknown: where every server is a frontend too, a name under which a mailbox was
// arriving, and does not any more, is known afterwards to be another server's, though
// nothing was known of it when it came. It was renamed there, for instance, and another
// mailbox got its name; the slave has heard all of that already.
func TestGoBackUnknown(t *testing.T) {
	for _, away := range []bool{false, true} {
		m := newMaster(t)
		s := backend(t, m, "mupdate_config: unified")
		m.set(mupdate.Entry{State: mupdate.Active, Name: "user.alice.a", Location: "be2.example.org!q", ACL: aliceACL})
		local := s.Ops.Local()
		if _, err := local.CreateReplica(ctx, "user.alice.a", replica("id-a")); err != nil {
			t.Fatal(err)
		}
		if away {
			m.down()
		}
		if err := local.DeleteReplica(ctx, "user.alice.a"); err != nil {
			t.Fatal(err)
		}
		if away {
			m.up()
			if err := s.Ops.PayAll(ctx); err != nil {
				t.Fatal(err)
			}
		}
		e, err := s.List.Lookup("user.alice.a")
		if err != nil || !e.Foreign() || e.Server != "be2.example.org" || e.Partition != "q" || e.ACL != aliceACL {
			t.Errorf("the master away %v: %+v, %v", away, e, err)
		}
	}
	// By itself a backend knows nothing of others'.
	m := newMaster(t)
	s := backend(t, m)
	local := s.Ops.Local()
	if _, err := local.CreateReplica(ctx, "user.alice.a", replica("id-a")); err != nil {
		t.Fatal(err)
	}
	if err := local.DeleteReplica(ctx, "user.alice.a"); err != nil {
		t.Fatal(err)
	}
	if e, err := s.List.Lookup("user.alice.a"); !errors.Is(err, mboxlist.ErrNotFound) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestGoBackLate: what the slave hears while the master's answer is on its way is the later
// news, and stays.
func TestGoBackLate(t *testing.T) {
	theirs := mupdate.Entry{State: mupdate.Active, Name: "user.alice.a", Location: "be2.example.org!q", ACL: aliceACL}
	for _, tc := range []struct {
		name   string
		found  mupdate.Entry               // by the question
		slave  func(tx *mboxlist.Tx) error // before the answer is there
		server string                      // what is right then, "" for no record
	}{
		{"it is removed", theirs, func(tx *mboxlist.Tx) error { return tx.Remove("user.alice.a") }, ""},
		{"it is made elsewhere", mupdate.Entry{Name: "user.alice.a"}, func(tx *mboxlist.Tx) error {
			return tx.Put(&mboxlist.Entry{Name: "user.alice.a", Type: "er", Server: "be3.example.org", Partition: "p", ACL: aliceACL})
		}, "be3.example.org"},
	} {
		m := newMaster(t)
		s := backend(t, m, "mupdate_config: unified")
		putRemote(t, s, "user.alice.a")
		local := s.Ops.Local()
		if _, err := local.CreateReplica(ctx, "user.alice.a", replica("id-a")); err != nil {
			t.Fatal(err)
		}
		m.set(tc.found)
		m.faults(func(n int) fault {
			return fault{also: func() {
				if err := s.List.Update(tc.slave); n == 1 && err != nil {
					t.Error(err)
				}
			}}
		})
		if err := local.DeleteReplica(ctx, "user.alice.a"); err != nil {
			t.Fatal(err)
		}
		switch e, err := s.List.Lookup("user.alice.a"); {
		case tc.server == "" && !errors.Is(err, mboxlist.ErrNotFound):
			t.Errorf("%s: %+v, %v", tc.name, e, err)
		case tc.server != "" && (err != nil || e.Server != tc.server):
			t.Errorf("%s: %+v, %v", tc.name, e, err)
		}
	}
}

// TestGoBackUser: of a user whose way back to this server came to nothing it has what it had
// before: what the user has seen of its mailboxes, where that is looked for, and neither
// subscriptions nor a quota root.
func TestGoBackUser(t *testing.T) {
	for _, mode := range []string{"standard", "unified"} {
		m := newMaster(t)
		s := backend(t, m, "mupdate_config: "+mode)
		if mode == "unified" {
			putRemote(t, s, "user.alice")
		}
		old, news := seen.Record{LastUID: 3, LastChange: 5, UIDs: "1:3"}, seen.Record{LastUID: 4, LastChange: 6, UIDs: "1:4"}
		for id, r := range map[string]seen.Record{"shared1": old, "shared2": old} {
			if err := s.Seen.For("alice", "").Put(id, r); err != nil {
				t.Fatal(err)
			}
		}
		local := s.Ops.Local()
		if _, err := local.CreateReplica(ctx, "user.alice", replica("id-alice")); err != nil {
			t.Fatal(err)
		}
		arriving := s.Seen.For("alice", s.Ops.InboxID("alice"))
		if r, err := arriving.Get("shared1"); r != old || err != nil {
			t.Errorf("%s: while it arrives: %+v, %v", mode, r, err)
		}
		for _, err := range []error{
			arriving.Put("shared2", news),
			// A session that began before the INBOX came.
			s.Seen.For("alice", "").Put("shared1", news), s.Seen.For("alice", "").Put("shared2", old),
			s.Subs.Set(s.Ops.User("alice"), "user.alice", true),
			local.SetQuotaReplica(ctx, "user.alice", limits(100), 1),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		sub := s.Layout.UserFile("alice", "sub", "id-alice")
		if _, err := os.Stat(sub); err != nil {
			t.Fatal(err)
		}
		if err := local.DeleteReplica(ctx, "user.alice"); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"shared1", "shared2"} {
			if r, err := s.Seen.For("alice", s.Ops.InboxID("alice")).Get(id); r != news || err != nil {
				t.Errorf("%s: seen of %s %+v, %v", mode, id, r, err)
			}
		}
		if _, err := os.Stat(sub); !os.IsNotExist(err) {
			t.Errorf("%s: subscriptions: %v", mode, err)
		}
		if q, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
			t.Errorf("%s: quota root: %+v, %v", mode, q, err)
		}
	}
}

// TestArrivedLogged: replicas hear of the user as a whole when the INBOX arrives, and not of
// the INBOX alone: what they got before may be where they do not look for it any more.
func TestArrivedLogged(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "sync_log: yes")
	local := s.Ops.Local()
	for _, n := range []mboxname.Name{"user.alice", "user.alice.a"} {
		if _, err := local.CreateReplica(ctx, n, replica("id-"+string(n))); err != nil {
			t.Fatal(err)
		}
	}
	logged(t, s)
	for _, tc := range []struct {
		name mboxname.Name
		want []string
	}{{"user.alice.a", []string{"MAILBOX user.alice.a"}}, {"user.alice", []string{"MAILBOX user.alice", "USER alice"}}} {
		if err := s.Ops.Announce(ctx, mboxops.Root("cyrus"), tc.name); err != nil {
			t.Fatal(err)
		}
		if got := logged(t, s); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestArrivedStays: what has arrived is nobody's any more to remove or rename who brought it.
func TestArrivedStays(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	local := s.Ops.Local()
	if _, err := local.CreateReplica(ctx, "user.alice", replica("id-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Announce(ctx, mboxops.Root("cyrus"), "user.alice"); err != nil {
		t.Fatal(err)
	}
	if err := local.DeleteReplica(ctx, "user.alice"); !errors.Is(err, mboxops.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	if err := local.RenameReplica(ctx, "user.alice", "user.bob", "default", 0); !errors.Is(err, mboxops.ErrNotFound) {
		t.Errorf("renamed: %v", err)
	}
	if e := lookup(t, s, "user.alice"); e.UniqueID != "id-a" || e.Is(mboxlist.FlagRemote) {
		t.Errorf("%+v", e)
	}
	agree(t, m, s)
}

// await waits until a goroutine is in a function.
func await(t *testing.T, function string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(time.Minute); !strings.Contains(string(buf[:runtime.Stack(buf, true)]), function); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("nobody is in %s", function)
		}
	}
}

// TestGoneMeanwhile: who has waited for the lock of a user until all was on another server
// changes nothing here that would be of no use: nothing is acknowledged that is lost.
func TestGoneMeanwhile(t *testing.T) {
	for _, mode := range []string{"standard", "unified"} {
		for name, do := range map[string]func(s *site.Site) error{
			"subscribe": func(s *site.Site) error { return s.Ops.Subscribe(ctx, user("alice"), "shared", true) },
			"quota":     func(s *site.Site) error { return s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits(5)) },
			"create":    func(s *site.Site) error { return createErr(s, "user.alice.New") },
			"create as administrator": func(s *site.Site) error {
				_, err := s.Ops.Create(ctx, mboxops.Root("cyrus"), "user.alice.New", mboxops.CreateParams{})
				return err
			},
			"rename": func(s *site.Site) error {
				return s.Ops.Rename(ctx, mboxops.Root("cyrus"), "shared.x", "user.alice.New", mboxops.RenameParams{})
			},
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				m := newMaster(t)
				s := traveller(t, m, "mupdate_config: "+mode)
				held, unlock, err := s.Mailboxes.LockUser(ctx, "alice")
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- do(s) }()
				await(t, "mailbox.(*Store).LockUser")
				all, err := s.Ops.Depart(held, alice, "be2.example.org")
				if err == nil {
					err = s.Ops.Decide(held, all)
				}
				if err == nil {
					err = s.Ops.Leave(held, alice, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				unlock()
				if err := <-done; err == nil {
					t.Error("it is acknowledged")
				}
				for _, n := range []mboxname.Name{"user.alice.New", "user.alice"} {
					if e, err := s.List.Lookup(n); err == nil && !e.Deleted() && !e.Is(mboxlist.FlagRemote) {
						t.Errorf("%+v", e)
					}
				}
				if _, err := os.Stat(s.Layout.UserFile("alice", "sub", "")); !os.IsNotExist(err) {
					t.Errorf("subscriptions: %v", err)
				}
				if q, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
					t.Errorf("quota root: %+v, %v", q, err)
				}
			})
		}
	}
}
