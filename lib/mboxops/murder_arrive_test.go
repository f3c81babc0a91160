package mboxops_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
)

// putRemote is what the slave of a node writes of another server's mailboxes.
func putRemote(t *testing.T, s *site.Site, names ...mboxname.Name) {
	t.Helper()
	err := s.List.Update(func(tx *mboxlist.Tx) error {
		for _, n := range names {
			if err := tx.Put(&mboxlist.Entry{Name: n, Type: "er", Server: "be2.example.org", Partition: "q", ACL: aliceACL}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, s *site.Site, n mboxname.Name) *mboxlist.Entry {
	t.Helper()
	e, err := s.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestArriveGone: of what was to come, and was removed where it was meanwhile, nothing is
// left: the master knows nothing of it that it could tell.
func TestArriveGone(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "mupdate_config: unified")
	putRemote(t, s, "user.alice", "user.alice.a")
	for _, away := range []bool{false, true} {
		if _, err := s.Ops.Local().CreateReplica(ctx, "user.alice.a", replica("id-a")); err != nil {
			t.Fatal(err)
		}
		if away {
			m.down()
		}
		if err := s.Ops.Local().DeleteReplica(ctx, "user.alice.a"); err != nil {
			t.Fatal(err)
		}
		if away {
			m.up()
			if err := s.Ops.PayAll(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := s.List.Lookup("user.alice.a"); !errors.Is(err, mboxlist.ErrNotFound) {
			t.Errorf("the master away %v: the record stays: %+v, %v", away, e, err)
		}
		putRemote(t, s, "user.alice.a")
	}
}

// TestArrive: where every server is a frontend too, what comes from another server is that
// one's for clients until it is announced, and becomes so again when it is not to come.
func TestArrive(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "mupdate_config: unified")
	putRemote(t, s, "user.alice", "user.alice.a", "user.bob")
	for _, n := range []mboxname.Name{"user.alice", "user.alice.a", "user.alice.new"} {
		// By itself it is another server's; on its way it may come.
		if n != "user.alice.new" {
			if _, err := s.Ops.CreateReplica(ctx, n, replica("id-"+string(n))); !errors.Is(err, mboxops.ErrExists) {
				t.Errorf("%s was replicated over another server's: %v", n, err)
			}
		}
		e, err := s.Ops.Local().CreateReplica(ctx, n, replica("id-"+string(n)))
		if err != nil {
			t.Fatal(err)
		}
		if stored := lookup(t, s, n); !stored.Incoming() || stored.Foreign() || stored.UniqueID != e.UniqueID || stored.Partition != "default" {
			t.Errorf("%s: %+v", n, stored)
		}
	}
	if got := lookup(t, s, "user.alice").Server; got != "be2.example.org" {
		t.Errorf("the server is %q", got)
	}
	if _, err := s.Ops.Create(ctx, user("alice"), "user.alice.a.below", mboxops.CreateParams{}); !errors.Is(err, mboxops.ErrMoving) {
		t.Errorf("a mailbox was made below one that arrives: %v", err)
	}
	if len(m.content()) != 0 {
		t.Errorf("the master was told: %v", m.content())
	}
	// What is told of it later changes nothing of that.
	e := lookup(t, s, "user.alice.a")
	e.ACL = aliceACL + "bob\tlr\t"
	if err := s.Ops.Local().SetReplica(ctx, e); err != nil {
		t.Fatal(err)
	}
	if e = lookup(t, s, "user.alice.a"); !e.Incoming() || e.ACL != aliceACL+"bob\tlr\t" {
		t.Errorf("%+v", e)
	}

	dir := filesOf(t, s, e)
	m.set(mupdate.Entry{State: mupdate.Active, Name: "user.alice.a", Location: "be2.example.org!default", ACL: e.ACL})
	if err := s.Ops.Local().DeleteReplica(ctx, "user.alice.a"); err != nil {
		t.Fatal(err)
	}
	if e := lookup(t, s, "user.alice.a"); !e.Foreign() || e.Server != "be2.example.org" || e.UniqueID != "" {
		t.Errorf("%+v", e)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the files stay: %v", err)
	}
	// Another server's is not removed so, nor renamed.
	if err := s.Ops.Local().DeleteReplica(ctx, "user.bob"); !errors.Is(err, mboxops.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Ops.Local().RenameReplica(ctx, "user.bob", "user.rob", "default", 0); !errors.Is(err, mboxops.ErrNotFound) {
		t.Error(err)
	}

	for _, n := range []mboxname.Name{"user.alice.new", "user.alice"} {
		if err := s.Ops.Announce(ctx, mboxops.Root("cyrus"), n); err != nil {
			t.Fatal(err)
		}
		if e := lookup(t, s, n); e.Is(mboxlist.FlagRemote) || e.Server != "" {
			t.Errorf("%s is announced: %+v", n, e)
		}
	}
	agree(t, m, s)
	if err := s.Ops.Announce(ctx, mboxops.Root("cyrus"), "user.bob"); !errors.Is(err, mboxops.ErrUnsupported) {
		t.Errorf("another's was announced: %v", err)
	}
}

// TestArriveClosed: who has looked a mailbox up while it was here, and comes to it when it
// is arriving again, finds none, though its files have their old place. What he brought
// would have a UID that another message has where the mailbox is, and would be gone with
// the copy if the move is given up.
func TestArriveClosed(t *testing.T) {
	for _, mode := range []string{"standard", "unified"} {
		m := newMaster(t)
		s := backend(t, m, "mupdate_config: "+mode)
		local := s.Ops.Local()
		e, err := local.CreateReplica(ctx, "user.alice", replica("id-a"))
		if err != nil {
			t.Fatal(err)
		}
		old := *e
		old.Type = mboxlist.Without(e.Type, mboxlist.FlagRemote)
		old.Server = ""
		touch := func(tx *mailbox.Tx) error { _, err := tx.TouchModSeq(); return err }
		closed := func(when string) {
			t.Helper()
			if err := s.Mailboxes.Update(ctx, &old, touch); !errors.Is(err, mailbox.ErrNotFound) {
				t.Errorf("%s, %s: changed with a record of before: %v", mode, when, err)
			}
			if m, err := s.Mailboxes.Open(ctx, &old); !errors.Is(err, mailbox.ErrNotFound) {
				t.Errorf("%s, %s: opened: %v, %v", mode, when, m, err)
			}
		}
		closed("made")
		if err := s.Mailboxes.Update(ctx, e, touch); err != nil {
			t.Errorf("%s: as what arrives: %v", mode, err)
		}
		closed("changed")
		for _, partition := range []string{"other", "default"} {
			if err := local.RenameReplica(ctx, "user.alice", "user.alice", partition, 0); err != nil {
				t.Fatal(err)
			}
			closed("moved")
			e = lookup(t, s, "user.alice")
			old.Partition = e.Partition
			closed("moved to " + e.Partition)
		}
		if err := s.Ops.Announce(ctx, mboxops.Root("cyrus"), "user.alice"); err != nil {
			t.Fatal(err)
		}
		if err := s.Mailboxes.Update(ctx, &old, touch); err != nil {
			t.Errorf("%s: when it has arrived: %v", mode, err)
		}
	}
}

// filesOf is the directory of a mailbox, which is there.
func filesOf(t *testing.T, s *site.Site, e *mboxlist.Entry) string {
	t.Helper()
	b, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := filepath.Dir(b.Path("index"))
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestForeignStays: what is done to a user's mailboxes here is not done to those that
// another server has.
func TestForeignStays(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "mupdate_config: unified", "allowusermoves: yes")
	admin := mboxops.Root("cyrus")
	for _, n := range []mboxname.Name{"user.alice", "user.alice.Foo", "user.alice.Foo.Here"} {
		if _, err := s.Ops.Create(ctx, admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatal(err)
		}
	}
	putRemote(t, s, "user.alice.There", "user.alice.Foo.There", "DELETED.user.alice.Old.6B000000")
	for from, to := range map[mboxname.Name]mboxname.Name{"user.alice.Foo": "user.alice.Bar", "user.alice": "user.rob"} {
		if err := s.Ops.Rename(ctx, admin, from, to, mboxops.RenameParams{}); !errors.Is(err, mboxops.ErrCrossMove) {
			t.Errorf("%s: %v", from, err)
		}
	}
	if err := s.Ops.Rename(ctx, admin, "user.alice.Foo.Here", "user.alice.There", mboxops.RenameParams{}); !errors.Is(err, mboxops.ErrExists) {
		t.Error(err)
	}
	agree(t, m, s)
	if err := s.Ops.Delete(ctx, admin, "user.alice", mboxops.DeleteParams{Now: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.DeleteUser(ctx, "alice", mboxops.UserRemoval{Deleted: true, Forget: true}); err != nil {
		t.Fatal(err)
	}
	var left []mboxname.Name
	err := s.List.Scan("", func(v mboxlist.View) error {
		if !v.Is(mboxlist.FlagDeleted) && !v.Is(mboxlist.FlagIntermediate) {
			left = append(left, v.Name())
		}
		return nil
	})
	slices.Sort(left)
	want := []mboxname.Name{"DELETED.user.alice.Old.6B000000", "user.alice.Foo.There", "user.alice.There"}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v, %v; want %v", left, err, want)
	}
	agree(t, m, s)
}
