package mupdateserver

import (
	"errors"
	"testing"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// TestOwn is the table of what a unified server's slave makes of a record, by what the
// master says of it.
func TestOwn(t *testing.T) {
	const self, other = "me.example.org", "be2.example.org"
	entry := func(typ, server, id string) *mboxlist.Entry {
		return &mboxlist.Entry{Name: "user.x", Type: typ, Server: server, UniqueID: id, Partition: "p", ACL: "x\tlr\t", UIDValidity: 7}
	}
	said := func(state mupdate.State, server string) mupdate.Entry {
		e := mupdate.Entry{State: state, Name: "user.x"}
		if state != mupdate.Absent {
			e.Location = server + "!q"
		}
		if state == mupdate.Active {
			e.ACL = "y\tlrs\t"
		}
		return e
	}
	// A record in short: type, server, partition, id, list.
	short := func(e *mboxlist.Entry) string {
		if e == nil {
			return ""
		}
		return e.Type + " " + e.Server + " " + e.Partition + " " + e.UniqueID + " " + e.ACL[:min(1, len(e.ACL))]
	}
	const kept, unchanged = true, "*"
	for _, tc := range []struct {
		name string
		was  *mboxlist.Entry
		says mupdate.Entry
		want string
		kept bool // in mind, for when the mailbox here is gone
	}{
		{"nothing, another's", nil, said(mupdate.Active, other), "er " + other + " q  y", false},
		{"nothing, another's to be", nil, said(mupdate.Reserved, other), "erz " + other + " q  ", false},
		{"nothing, ours", nil, said(mupdate.Active, self), "", false},
		{"nothing, ours to be", nil, said(mupdate.Reserved, self), "", false},
		{"ours, ours", entry("e", "", "id"), said(mupdate.Active, self), unchanged, false},
		{"ours, ours to be", entry("e", "", "id"), said(mupdate.Reserved, self), unchanged, false},
		{"ours, nobody's", entry("el", "", "id"), said(mupdate.Absent, ""), unchanged, false},
		{"ours, another's", entry("e", "", "id"), said(mupdate.Active, other), unchanged, kept},
		{"ours, another's to be", entry("e", "", "id"), said(mupdate.Reserved, other), unchanged, kept},
		{"moving, ours to be", entry("em", other, "id"), said(mupdate.Reserved, self), unchanged, false},
		{"moving, another's", entry("em", other, "id"), said(mupdate.Active, other), unchanged, kept},
		{"moved, another's", entry("emr", other, "id"), said(mupdate.Active, other), unchanged, kept},
		{"moving, nobody's", entry("em", other, "id"), said(mupdate.Absent, ""), unchanged, kept},
		{"moved, nobody's", entry("emr", other, "id"), said(mupdate.Absent, ""), unchanged, kept},
		{"arriving, another's", entry("er", other, "id"), said(mupdate.Active, other), "er " + other + " p id y", false},
		{"arriving, reserved by another", entry("er", other, "id"), said(mupdate.Reserved, other), "er " + other + " p id x", false},
		{"scripts, arriving", entry("fr", other, "id"), said(mupdate.Active, other), "fr " + other + " p id y", false},
		{"scripts, arriving, reserved by another", entry("fr", other, "id"), said(mupdate.Reserved, other), "fr " + other + " p id x", false},
		{"arriving, from a third one", entry("er", other, "id"), said(mupdate.Active, "be3"), "er be3 p id y", false},
		{"arriving, ours", entry("er", other, "id"), said(mupdate.Active, self), unchanged, false},
		{"arriving, nobody's", entry("er", other, "id"), said(mupdate.Absent, ""), unchanged, kept}, // its files are somebody's to remove
		{"another's, a third one's", entry("er", other, ""), said(mupdate.Active, "be3"), "er be3 q  y", false},
		{"another's, nobody's", entry("er", other, ""), said(mupdate.Absent, ""), "", false},
		{"another's, ours", entry("er", other, ""), said(mupdate.Active, self), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := testServer(t, testConfig(t, "mupdate_config: standard\n"), func(o *Options) { o.Config, o.ServerName = "unified", self })
			if tc.was != nil {
				if err := srv.list.Update(func(tx *mboxlist.Tx) error { return tx.Put(tc.was) }); err != nil {
					t.Fatal(err)
				}
			}
			c := &copier{srv.table, srv.list}
			look := func() string {
				e, err := srv.list.Lookup("user.x")
				if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
					t.Fatal(err)
				}
				return short(e)
			}
			want := tc.want
			if want == unchanged {
				want = short(tc.was)
			}
			for range 2 { // the second time nothing changes
				if err := c.apply([]mupdate.Entry{tc.says}); err != nil {
					t.Fatal(err)
				}
				if got := look(); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
			if got := len(srv.table.kept()) > 0; got != tc.kept {
				t.Errorf("kept in mind: %v", got)
			}
			if err := c.release(); err != nil {
				t.Fatal(err)
			}
			if got := look(); got != want {
				t.Errorf("released too early: %q", got)
			}
			if !tc.kept {
				return
			}
			if tc.says.State == mupdate.Absent {
				// The move ends, and leaves where the mailbox was to be, or had been.
				left := &mboxlist.Entry{Name: "user.x", Type: "er", Server: other, EmptyPartition: true, ACL: "x\tlr\t"}
				if err := srv.list.Update(func(tx *mboxlist.Tx) error { return tx.Put(left) }); err != nil {
					t.Fatal(err)
				}
				if err := c.release(); err != nil {
					t.Fatal(err)
				}
				if got := look(); got != "" || len(srv.table.kept()) > 0 {
					t.Errorf("left: %q", got)
				}
				return
			}
			// The one that was here goes.
			if err := srv.list.Update(func(tx *mboxlist.Tx) error { return tx.Delete("user.x", 9) }); err != nil {
				t.Fatal(err)
			}
			if err := c.release(); err != nil {
				t.Fatal(err)
			}
			if e, err := srv.list.Lookup("user.x"); err != nil || e.Server != other || e.Is(mboxlist.FlagDeleted) || len(srv.table.kept()) > 0 {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

// TestOwnTold: who follows a unified server hears where its mailboxes are.
func TestOwnTold(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.Config, o.ServerName = "unified", "me.example.org" })
	err := srv.list.Update(func(tx *mboxlist.Tx) error {
		return errors.Join(tx.Put(&mboxlist.Entry{Name: "user.own", Type: "e", UniqueID: "1", Partition: "p", ACL: "a\tl\t"}),
			tx.Put(&mboxlist.Entry{Name: "user.other", Type: "er", Server: "be2", Partition: "p", ACL: "a\tl\t"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, srv)
	if got := list(t, clientOptions(addr)); len(got) != 2 || got["user.own"].Location != "me.example.org!p" || got["user.other"].Location != "be2!p" {
		t.Errorf("LIST: %v", got)
	}
	if e, err := connect(t, addr).Find(t.Context(), "user.own"); err != nil || e.Location != "me.example.org!p" {
		t.Errorf("FIND: %v, %v", e, err)
	}
}
