package mboxops_test

import (
	"errors"
	"os"
	"testing"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

func replica(id string) mboxops.ReplicaParams {
	return mboxops.ReplicaParams{
		UniqueID: id, Partition: "default", ACL: "alice\tlrswipkxtecdan\t", UIDValidity: 1000, CreatedModSeq: 3, FolderModSeq: 5,
	}
}

// TestCreateReplica makes mailboxes as another server has them, without those
// above.
func TestCreateReplica(t *testing.T) {
	s := open(t)
	e, err := s.Ops.CreateReplica(t.Context(), "user.alice.a.b", replica("replica1"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "user.alice.a.b")
	stored, err := s.List.Lookup("user.alice.a.b")
	if err != nil {
		t.Fatal(err)
	}
	if stored.UniqueID != "replica1" || stored.UIDValidity != 1000 || stored.CreatedModSeq != 3 || stored.FolderModSeq != 5 || stored.ACL != e.ACL {
		t.Errorf("stored %+v", stored)
	}
	for _, tc := range []struct {
		name string
		n    mboxname.Name
		p    mboxops.ReplicaParams
		err  error
	}{
		{"taken", "user.alice.a.b", replica("replica2"), mboxops.ErrExists},
		{"no such partition", "user.alice.c", mboxops.ReplicaParams{UniqueID: "replica3", Partition: "nosuch"}, mboxops.ErrPartition},
		{"bad name", "user.alice..c", replica("replica4"), mboxname.ErrBad},
		{"bad deleted name", "DELETED.user.alice./x.6B0277E4", replica("replica4"), mboxname.ErrBad},
		{"bad domain", "../x!user.alice", replica("replica4"), mboxname.ErrBad},
		{"no id", "user.alice.c", replica(""), mboxname.ErrBad},
		{"id of another directory", "user.alice.c", replica("../../../x"), mboxname.ErrBad},
		{"id without a directory", "user.alice.c", replica("x"), mboxname.ErrBad},
	} {
		if _, err := s.Ops.CreateReplica(t.Context(), tc.n, tc.p); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// userState makes a user with all that can belong to one.
func userState(t *testing.T, s *site.Site) {
	t.Helper()
	admin := mboxops.Root("cyrus")
	for _, n := range []mboxname.Name{"user.alice", "user.alice.a", "user.alice.a.b", "user.alice.gone", "user.alicex"} {
		if _, err := s.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ops.Delete(t.Context(), admin, "user.alice.gone", mboxops.DeleteParams{}); err != nil {
		t.Fatal(err)
	}
	limits := quota.New("user.alice").Limit
	limits[quota.Storage] = 1000
	if err := s.Ops.SetQuota(t.Context(), admin, "user.alice", limits); err != nil {
		t.Fatal(err)
	}
	if err := s.Subs.Set(s.Ops.User("alice"), "user.alice.a", true); err != nil {
		t.Fatal(err)
	}
}

// TestDeleteUser removes a user as UNUSER does, and as sync_reset.
func TestDeleteUser(t *testing.T) {
	for _, tc := range []struct {
		name   string
		how    mboxops.UserRemoval
		left   string
		stones bool
	}{
		{"as a master says", mboxops.UserRemoval{}, "DELETED.user.alice.gone.TIME user.alicex", true},
		{"without a trace", mboxops.UserRemoval{Deleted: true, Forget: true}, "user.alicex", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, "delete_mode: delayed")
			userState(t, s)
			file := s.Layout.UserFile("alice", "sub", s.Ops.InboxID("alice"))
			all, err := s.Ops.OfUser("alice")
			if err != nil || len(all) != 4 || all[0].Name != "user.alice" || !all[3].Name.IsDeleted() {
				t.Fatalf("of alice: %v %v", all, err)
			}
			if err := s.Ops.DeleteUser(t.Context(), "alice", tc.how); err != nil {
				t.Fatal(err)
			}
			want(t, s, tc.left)
			for _, n := range []mboxname.Name{"user.alice", "user.alice.a", "user.alice.a.b", "user.alice.gone"} {
				e, err := s.List.Lookup(n)
				if tc.stones != (err == nil && e.Deleted()) {
					t.Errorf("%s: %v %v", n, e, err)
				}
			}
			if _, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
				t.Errorf("quota root: %v", err)
			}
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", file, err)
			}
			if err := s.Ops.DeleteUser(t.Context(), "alice", tc.how); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// TestDeleteRenamedUser removes the old name of a user, whose files, which are
// kept by the id of the INBOX, belong to the new one.
func TestDeleteRenamedUser(t *testing.T) {
	s := open(t)
	userState(t, s)
	if err := s.Ops.RenameReplica(t.Context(), "user.alice", "user.bob", "default", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.DeleteUser(t.Context(), "alice", mboxops.UserRemoval{}); err != nil {
		t.Fatal(err)
	}
	names, err := s.Subs.List(s.Ops.User("bob"))
	if err != nil || len(names) != 1 {
		t.Errorf("subscriptions of bob: %v %v", names, err)
	}
	if e, err := s.List.Lookup("user.bob"); err != nil || e.Deleted() {
		t.Errorf("user.bob: %v %v", e, err)
	}
}

// TestSilent says that nothing here moves a modseq.
func TestSilent(t *testing.T) {
	s := open(t)
	if _, err := s.Ops.CreateReplica(t.Context(), "user.alice.a", replica("silent1")); err != nil {
		t.Fatal(err)
	}
	modseqs := func(n mboxname.Name) (folder, highest uint64) {
		t.Helper()
		e, err := s.List.Lookup(n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Mailboxes.Open(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		m.View(t.Context(), func(v *mailbox.View) error {
			highest = v.Header().HighestModSeq
			return nil
		})
		return e.FolderModSeq, highest
	}
	folder, highest := modseqs("user.alice.a")
	for _, to := range []mboxname.Name{"user.alice.b", "user.bob.a"} {
		from := mboxname.Name("user.alice.a")
		if to != "user.alice.b" {
			from = "user.alice.b"
		}
		if err := s.Ops.RenameReplica(t.Context(), from, to, "other", 0); err != nil {
			t.Fatal(err)
		}
		if f, h := modseqs(to); f != folder || h != highest {
			t.Errorf("%s: modseqs %d %d, want %d %d", to, f, h, folder, highest)
		}
	}
	if err := s.Ops.DeleteReplica(t.Context(), "user.bob.a"); err != nil {
		t.Fatal(err)
	}
	if e, err := s.List.Lookup("user.bob.a"); err != nil || !e.Deleted() || e.FolderModSeq != folder {
		t.Errorf("tombstone: %+v %v", e, err)
	}
	if err := s.Ops.DeleteReplica(t.Context(), "user.bob.a"); !errors.Is(err, mboxlist.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

// TestQuotaReplica sets limits and modseq as another server has them.
func TestQuotaReplica(t *testing.T) {
	s := open(t)
	userState(t, s)
	for _, modseq := range []uint64{99, 41} {
		limits := quota.New("x").Limit
		limits[quota.Storage], limits[quota.Message] = int64(modseq), 7
		for _, root := range []mboxname.Name{"user.alice", "user.alice.a"} {
			if err := s.Ops.SetQuotaReplica(t.Context(), root, limits, modseq); err != nil {
				t.Fatal(err)
			}
			q, err := s.Quota.Get(root)
			if err != nil || q.Limit != limits || q.ModSeq != modseq {
				t.Errorf("%s: %+v %v", root, q, err)
			}
		}
	}
	if q, err := s.Quota.Get("user.alice.a"); err != nil || q.Used[quota.Mailbox] != 2 {
		t.Errorf("mailboxes below the new root: %+v %v", q, err)
	}
}
