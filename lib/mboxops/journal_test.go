package mboxops_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/annotate"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/site"
	"gocyrus/lib/synclog"
)

// logged takes what the replication log has, each line once and in order; the times
// in names of deleted mailboxes are left out.
func logged(t *testing.T, s *site.Site) []string {
	t.Helper()
	taken, err := synclog.Take(synclog.OptionsFrom(s.Config), "")
	if err != nil {
		t.Fatal(err)
	}
	if taken == nil {
		return nil
	}
	b, err := os.ReadFile(taken.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		for i, w := range f {
			if n := mboxname.Name(w); n.IsDeleted() {
				f[i] = w[:strings.LastIndexByte(w, '.')] + ".TIME"
			}
		}
		lines = append(lines, strings.Join(f, " "))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func use(o *mboxops.Ops, n mboxname.Name, use string) error {
	return o.Annotate(ctx, "ann", n, false, []mboxops.Annotation{{Entry: annotate.SpecialUse, Data: []byte(use)}})
}

func TestJournal(t *testing.T) {
	for _, tc := range []struct {
		name string
		conf string
		do   func(o *mboxops.Ops) error
		want []string
	}{
		{"a folder is renamed", "", func(o *mboxops.Ops) error {
			return o.Rename(ctx, user("ann"), "user.ann.x", "user.ann.z", mboxops.RenameParams{})
		}, []string{"MAILBOX user.ann.x", "MAILBOX user.ann.z", "RENAME user.ann.x user.ann.z"}},
		{"a user is renamed", "allowusermoves: yes", func(o *mboxops.Ops) error {
			return o.Rename(ctx, user("cyrus"), "user.bob", "user.eve", mboxops.RenameParams{})
		}, []string{"MAILBOX user.bob", "MAILBOX user.eve", "RENAME user.bob user.eve", "UNUSER bob", "USER eve"}},
		{"deleted at once", "delete_mode: immediate", func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("ann"), "user.ann.x", mboxops.DeleteParams{})
		}, []string{"MAILBOX user.ann.x", "UNMAILBOX user.ann.x"}},
		{"deleted for a while", "", func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("ann"), "user.ann.x", mboxops.DeleteParams{})
		}, []string{"MAILBOX DELETED.user.ann.x.TIME", "MAILBOX user.ann.x", "RENAME user.ann.x DELETED.user.ann.x.TIME"}},
		{"a user is deleted", "delete_mode: immediate", func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("cyrus"), "user.bob", mboxops.DeleteParams{Force: true})
		}, []string{"MAILBOX user.bob", "UNMAILBOX user.bob", "UNUSER bob"}},
		{"an INBOX alone", "", func(o *mboxops.Ops) error {
			return o.Delete(ctx, mboxops.Root("cyrus"), "user.ann", mboxops.DeleteParams{Now: true, Alone: true})
		}, []string{"MAILBOX user.ann", "UNMAILBOX user.ann"}},
		{"special use", "", func(o *mboxops.Ops) error {
			return use(o, "user.ann.x", `\Sent`)
		}, []string{"MAILBOX user.ann.x"}},
		{"another one as long", "", func(o *mboxops.Ops) error {
			return use(o, "user.ann.y", `\Sent`)
		}, []string{"MAILBOX user.ann.y"}},
		{"a replica's mailbox is removed", "", func(o *mboxops.Ops) error { return o.DeleteReplica(ctx, "user.ann.x") },
			[]string{"MAILBOX user.ann.x", "UNMAILBOX user.ann.x"}},
		{"a replica's user is removed", "", func(o *mboxops.Ops) error { return o.DeleteUser(ctx, "bob", mboxops.UserRemoval{}) },
			[]string{"MAILBOX user.bob", "UNMAILBOX user.bob", "UNUSER bob"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, "sync_log: yes", tc.conf)
			create(t, s, "cyrus", "user.ann", "user.bob")
			create(t, s, "ann", "user.ann.x", "user.ann.y")
			if err := use(s.Ops, "user.ann.y", `\Junk`); err != nil {
				t.Fatal(err)
			}
			logged(t, s)
			if err := s.Ops.SetACL(ctx, mboxops.Root("cyrus"), "user.bob", "cyrus", "+x"); err != nil {
				t.Fatal(err)
			}
			if got := logged(t, s); !slices.Equal(got, []string{"MAILBOX user.bob"}) {
				t.Errorf("SETACL: %q", got)
			}
			if err := tc.do(s.Ops); err != nil {
				t.Fatal(err)
			}
			if got := logged(t, s); !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// The access list in cyrus.header, too, names the user who is renamed.
func TestRenamedUserInHeaders(t *testing.T) {
	s := open(t, "allowusermoves: yes")
	create(t, s, "cyrus", "user.ann")
	create(t, s, "ann", "user.ann.x")
	if err := s.Ops.Rename(ctx, mboxops.Root("cyrus"), "user.ann", "user.eve", mboxops.RenameParams{}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []mboxname.Name{"user.eve", "user.eve.x"} {
		e, err := s.List.Lookup(n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Mailboxes.Open(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		err = m.View(ctx, func(v *mailbox.View) error {
			if v.ACL() != e.ACL || !strings.HasPrefix(e.ACL, "eve\t") {
				t.Errorf("%s: %q in the header, %q in the list", n, v.ACL(), e.ACL)
			}
			return nil
		})
		m.Close()
		if err != nil {
			t.Error(err)
		}
	}
}
