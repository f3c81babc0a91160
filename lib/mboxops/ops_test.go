package mboxops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/acl"
	"gocyrus/lib/config"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

// open makes a site in a directory of its own; more are lines of imapd.conf.
func open(t *testing.T, more ...string) *site.Site {
	t.Helper()
	s := openIn(t, t.TempDir(), more...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// confIn is the imapd.conf of a site in dir.
func confIn(dir string, more ...string) string {
	return fmt.Sprintf("configdirectory: %s/conf\npartition-default: %s/spool\npartition-other: %s/other\ndefaultpartition: default\nadmins: cyrus\n%s\n", dir, dir, dir, strings.Join(more, "\n"))
}

// openIn is open in a directory that may be there; the caller closes the site.
func openIn(t *testing.T, dir string, more ...string) *site.Site {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader(confIn(dir, more...)), "imapd.conf", "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// user is somebody with the rights of a session.
func user(id string) *mboxops.Who {
	w := &mboxops.Who{UserID: id, Admin: id == "cyrus"}
	w.Rights = func(n mboxname.Name, list string) acl.Rights {
		r := acl.My(list, func(s string) bool { return s == id || s == "anyone" })
		if w.Admin {
			r |= acl.Lookup | acl.Admin
		}
		if n.Owner() == id {
			r |= acl.Lookup | acl.Create | acl.DeleteBox | acl.Admin | acl.Annotate
		}
		return r
	}
	return w
}

// live are the names in the list, deleted ones with their time left out.
func live(t *testing.T, s *site.Site) []string {
	t.Helper()
	var all []string
	err := s.List.Scan("", func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagDeleted) {
			return nil
		}
		n := string(v.Name())
		if v.Name().IsDeleted() {
			n = n[:strings.LastIndexByte(n, '.')] + ".TIME"
		}
		all = append(all, n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func want(t *testing.T, s *site.Site, names string) {
	t.Helper()
	if got := strings.Join(live(t, s), " "); got != names {
		t.Errorf("mailboxes\n%s, want\n%s", got, names)
	}
}

var ctx = context.Background()

func create(t *testing.T, s *site.Site, who string, names ...mboxname.Name) {
	t.Helper()
	for _, n := range names {
		if _, err := s.Ops.Create(ctx, user(who), n, mboxops.CreateParams{}); err != nil {
			t.Fatalf("create %s: %v", n, err)
		}
	}
}

// Answers of Cyrus 3.6.1.
func TestCreate(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.alice", "user.bob", "shared.a.b")
	create(t, s, "alice", "user.alice.Work.2024.q1")
	want(t, s, "shared shared.a shared.a.b user.alice user.alice.Work user.alice.Work.2024 user.alice.Work.2024.q1 user.bob")
	for _, tc := range []struct {
		name string
		who  string
		box  mboxname.Name
		p    mboxops.CreateParams
		err  error
	}{
		{"no INBOX above", "cyrus", "user.nobody.x", mboxops.CreateParams{}, mboxops.ErrPermission},
		{"taken", "alice", "user.alice.Work", mboxops.CreateParams{}, mboxops.ErrExists},
		{"own INBOX", "carol", "user.carol", mboxops.CreateParams{}, mboxops.ErrPermission},
		{"another's", "bob", "user.alice.x", mboxops.CreateParams{}, mboxops.ErrPermission},
		{"shared", "bob", "shared.x", mboxops.CreateParams{}, mboxops.ErrPermission},
		{"bad name", "alice", "user.alice.a%b", mboxops.CreateParams{}, mboxname.ErrBad},
		{"partition by a user", "alice", "user.alice.x", mboxops.CreateParams{Partition: "other"}, mboxops.ErrPermission},
		{"no such partition", "cyrus", "user.z", mboxops.CreateParams{Partition: "nosuch"}, mboxops.ErrPartition},
		{"doubled INBOX", "alice", "user.alice.INBOX.INBOX", mboxops.CreateParams{}, mboxname.ErrBad},
		{"use below the top", "alice", "user.alice.Work.Sent", mboxops.CreateParams{SpecialUse: []string{`\Sent`}}, mboxops.ErrUseConflict},
		{"use", "alice", "user.alice.Sent", mboxops.CreateParams{SpecialUse: []string{`sent`}}, nil},
		{"use twice", "alice", "user.alice.Sent2", mboxops.CreateParams{SpecialUse: []string{`\Sent`}}, mboxops.ErrUseConflict},
		{"no such use", "alice", "user.alice.All", mboxops.CreateParams{SpecialUse: []string{`\All`}}, mboxops.ErrBadUse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := s.Ops.Create(ctx, user(tc.who), tc.box, tc.p)
			if !errors.Is(err, tc.err) || (err == nil) != (e != nil) {
				t.Errorf("got %+v, %v; want %v", e, err, tc.err)
			}
		})
	}
	for n, list := range map[mboxname.Name]string{
		"user.alice.Work.2024.q1": "alice\tlrswipkxtecdan\t",
		"shared.a":                "anyone\tlrs\t",
	} {
		if e, err := s.List.Lookup(n); err != nil || e.ACL != list {
			t.Errorf("%s: %+v, %v", n, e, err)
		}
	}
	if got, err := s.Ops.SpecialUses(ctx, "alice"); len(got) != 1 || got["user.alice.Sent"] != `\Sent` || err != nil {
		t.Errorf("uses %v, %v", got, err)
	}
}

func TestDelete(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.alice", "user.bob", "shared.x")
	create(t, s, "alice", "user.alice.A.B", "user.alice.C")
	if _, err := s.Ops.Create(ctx, user("alice"), "user.alice.Sent", mboxops.CreateParams{SpecialUse: []string{`\Sent`}}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, who string
		box       mboxname.Name
		err       error
	}{
		{"own INBOX", "alice", "user.alice", mboxops.ErrUnsupported},
		{"another's INBOX", "bob", "user.alice", mboxops.ErrNotFound},
		{"children", "alice", "user.alice.A", mboxops.ErrHasChildren},
		{"administrator without x", "cyrus", "user.bob", mboxops.ErrPermission},
		{"protected use", "alice", "user.alice.Sent", mboxops.ErrUseConflict},
		{"not there", "alice", "user.alice.D", mboxops.ErrNotFound},
		{"invisible", "bob", "user.alice.C", mboxops.ErrNotFound},
		{"visible", "bob", "shared.x", mboxops.ErrPermission},
		{"own", "alice", "user.alice.C", nil},
	} {
		if err := s.Ops.Delete(ctx, user(tc.who), tc.box, mboxops.DeleteParams{}); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
	}
	// Twice within one second.
	create(t, s, "alice", "user.alice.C")
	if err := s.Ops.Delete(ctx, user("alice"), "user.alice.C", mboxops.DeleteParams{}); err != nil {
		t.Error(err)
	}
	want(t, s, "DELETED.user.alice.C.TIME DELETED.user.alice.C.TIME shared shared.x user.alice user.alice.A user.alice.A.B user.alice.Sent user.bob")

	if err := s.Ops.SetACL(ctx, user("cyrus"), "user.alice", "cyrus", "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits(100)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Subscribe(ctx, user("alice"), "user.alice.A", true); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Delete(ctx, user("cyrus"), "user.alice", mboxops.DeleteParams{}); err != nil {
		t.Fatal(err)
	}
	want(t, s, "DELETED.user.alice.A.B.TIME DELETED.user.alice.A.TIME DELETED.user.alice.C.TIME DELETED.user.alice.C.TIME DELETED.user.alice.Sent.TIME DELETED.user.alice.TIME shared shared.x user.bob")
	if _, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
		t.Errorf("quota: %v", err)
	}
	create(t, s, "cyrus", "user.alice")
	if got, err := s.Subs.List(s.Ops.User("alice")); len(got) != 0 || err != nil {
		t.Errorf("subscriptions of the new alice: %v, %v", got, err)
	}
}

func limits(storage int64) [quota.NumResources]int64 {
	l := quota.New("").Limit
	l[quota.Storage] = storage
	return l
}

func TestDeleteImmediate(t *testing.T) {
	s := open(t, "delete_mode: immediate")
	create(t, s, "cyrus", "user.alice")
	create(t, s, "alice", "user.alice.C")
	old, err := s.List.Lookup("user.alice.C")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.Delete(ctx, user("alice"), "user.alice.C", mboxops.DeleteParams{}); err != nil {
		t.Fatal(err)
	}
	want(t, s, "user.alice")
	if _, err := s.Mailboxes.Open(ctx, old); !errors.Is(err, mailbox.ErrNotFound) {
		t.Errorf("open of what was deleted: %v", err)
	}
	create(t, s, "alice", "user.alice.C")
	again, err := s.List.Lookup("user.alice.C")
	if err != nil || again.UniqueID == old.UniqueID || again.UIDValidity <= old.UIDValidity {
		t.Errorf("made again: %+v after %+v, %v", again, old, err)
	}
}

func TestRename(t *testing.T) {
	for _, layout := range []string{"mailbox_legacy_dirs: no", "mailbox_legacy_dirs: yes"} {
		t.Run(layout, func(t *testing.T) {
			s := open(t, layout)
			create(t, s, "cyrus", "user.alice", "user.bob")
			create(t, s, "alice", "user.alice.A.B", "user.alice.A.C", "user.alice.D")
			ren := func(who string, from, to mboxname.Name, part string) error {
				return s.Ops.Rename(ctx, user(who), from, to, mboxops.RenameParams{Partition: part})
			}
			for _, tc := range []struct {
				name, who string
				from, to  mboxname.Name
				part      string
				err       error
			}{
				{"not there", "alice", "user.alice.x", "user.alice.y", "", mboxops.ErrNotFound},
				{"to itself", "alice", "user.alice.D", "user.alice.D", "", mboxops.ErrPermission},
				{"taken", "alice", "user.alice.D", "user.alice.A", "", mboxops.ErrExists},
				{"an INBOX", "cyrus", "user.alice", "user.carol", "", mboxops.ErrUnsupported},
				{"into another's", "alice", "user.alice.D", "user.bob.D", "", mboxops.ErrPermission},
				{"partition by a user", "alice", "user.alice.D", "user.alice.D", "other", mboxops.ErrPermission},
				{"partition and name", "cyrus", "user.alice.D", "user.alice.E", "other", mboxops.ErrCrossMove},
				{"the same partition", "cyrus", "user.alice.D", "user.alice.D", "default", mboxops.ErrExists},
				{"another partition", "cyrus", "user.alice.D", "user.alice.D", "other", nil},
				{"tree", "alice", "user.alice.A", "user.alice.T", "", nil},
				{"into itself", "alice", "user.alice.T", "user.alice.T.X.Y", "", nil},
			} {
				if err := ren(tc.who, tc.from, tc.to, tc.part); !errors.Is(err, tc.err) {
					t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
				}
			}
			want(t, s, "user.alice user.alice.D user.alice.T user.alice.T.B user.alice.T.C user.alice.T.X user.alice.T.X.Y user.bob")
			for _, n := range []mboxname.Name{"user.alice.D", "user.alice.T.B", "user.alice.T.X.Y"} {
				e, err := s.List.Lookup(n)
				if err != nil {
					t.Fatal(err)
				}
				m, err := s.Mailboxes.Open(ctx, e)
				if err != nil {
					t.Errorf("%s does not open: %v", n, err)
					continue
				}
				m.Close()
			}
			if e, _ := s.List.Lookup("user.alice.D"); e.Partition != "other" {
				t.Errorf("partition %s", e.Partition)
			}
		})
	}
}

func TestRenameUser(t *testing.T) {
	for _, layout := range []string{"mailbox_legacy_dirs: no", "mailbox_legacy_dirs: yes"} {
		t.Run(layout, func(t *testing.T) {
			s := open(t, layout, "allowusermoves: yes")
			create(t, s, "cyrus", "user.alice")
			create(t, s, "alice", "user.alice.A")
			if err := s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits(100)); err != nil {
				t.Fatal(err)
			}
			if err := s.Ops.Subscribe(ctx, user("alice"), "user.alice.A", true); err != nil {
				t.Fatal(err)
			}
			if err := s.Ops.Rename(ctx, user("cyrus"), "user.alice", "user.carol", mboxops.RenameParams{}); err != nil {
				t.Fatal(err)
			}
			want(t, s, "user.carol user.carol.A")
			if e, err := s.List.Lookup("user.carol.A"); err != nil || e.ACL != "carol\tlrswipkxtecdan\t" {
				t.Errorf("%+v, %v", e, err)
			}
			if got, err := s.Subs.List(s.Ops.User("carol")); len(got) != 1 || got[0] != "user.carol.A" || err != nil {
				t.Errorf("subscriptions %v, %v", got, err)
			}
			q, err := s.Quota.Get("user.carol")
			if err != nil || q.Limit[quota.Storage] != 100 || q.Used[quota.Mailbox] != 2 {
				t.Errorf("quota %+v, %v", q, err)
			}
			if _, err := s.Quota.Get("user.alice"); !errors.Is(err, quota.ErrNotFound) {
				t.Errorf("old quota: %v", err)
			}
		})
	}
}

func TestSetACL(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.bob")
	create(t, s, "bob", "user.bob.A")
	var noRight *mboxops.RightError
	for _, tc := range []struct {
		who, id, rights string
		err             error
		list            string
	}{
		{"bob", "bob", "lr", mboxops.ErrPermission, "bob\tlrswipkxtecdan\t"},
		{"bob", "bob", "-kx", nil, "bob\tlrswipkxtecdan\t"},
		{"bob", "bob", "", mboxops.ErrPermission, "bob\tlrswipkxtecdan\t"},
		{"cyrus", "bob", "", nil, "bob\tlkxcan\t"},
		{"cyrus", "bob", "lr", nil, "bob\tlrkxcan\t"},
		{"bob", "fred", "+w", nil, "bob\tlrkxcan\tfred\tw\t"},
		{"bob", "-fred", "s", nil, "bob\tlrkxcan\tfred\tw\t-fred\ts\t"},
		{"bob", "fred", "", nil, "bob\tlrkxcan\t-fred\ts\t"},
		{"bob", "", "l", mboxops.ErrBadIdent, "bob\tlrkxcan\t-fred\ts\t"},
		{"carol", "fred", "l", mboxops.ErrNotFound, "bob\tlrkxcan\t-fred\ts\t"},
	} {
		if err := s.Ops.SetACL(ctx, user(tc.who), "user.bob.A", tc.id, tc.rights); !errors.Is(err, tc.err) {
			t.Errorf("%s sets %q %q: %v, want %v", tc.who, tc.id, tc.rights, err, tc.err)
		}
		if e, err := s.List.Lookup("user.bob.A"); err != nil || e.ACL != tc.list {
			t.Errorf("%s set %q %q: %q, want %q", tc.who, tc.id, tc.rights, e.ACL, tc.list)
		}
	}
	if err := s.Ops.SetACL(ctx, user("bob"), "user.bob.A", "fred", "lZ"); !errors.As(err, &noRight) || noRight.Letter != 'Z' {
		t.Errorf("no right: %v", err)
	}
}

func TestQuota(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.bob", "user.bob.A", "user.bob.A.B")
	set := func(root mboxname.Name) {
		t.Helper()
		if err := s.Ops.SetQuota(ctx, user("cyrus"), root, limits(50)); err != nil {
			t.Fatal(err)
		}
	}
	boxes := func(root mboxname.Name, n int64) {
		t.Helper()
		if q, err := s.Quota.Get(root); err != nil || q.Used[quota.Mailbox] != n {
			t.Errorf("%s: %+v, %v; want %d mailboxes", root, q, err, n)
		}
	}
	set("user.bob")
	boxes("user.bob", 3)
	set("user.bob.A")
	boxes("user.bob.A", 2)
	boxes("user.bob", 1)
	create(t, s, "cyrus", "user.bob.A.C")
	boxes("user.bob.A", 3)
	if err := s.Ops.DeleteQuota(ctx, user("cyrus"), "user.bob.A"); err != nil {
		t.Fatal(err)
	}
	boxes("user.bob", 4)
	if err := s.Ops.SetQuota(ctx, user("bob"), "user.bob", limits(1)); !errors.Is(err, mboxops.ErrPermission) {
		t.Errorf("by a user: %v", err)
	}
	if err := s.Ops.SetQuota(ctx, user("cyrus"), "user.nosuch", limits(1)); !errors.Is(err, mboxops.ErrNotFound) {
		t.Errorf("of no mailbox: %v", err)
	}
}

func TestAutocreate(t *testing.T) {
	s := open(t, "autocreate_quota: 2048", "autocreate_inbox_folders: Sent | Junk mail", "autocreate_subscribe_folders: Sent", "xlist-sent: Sent")
	for range 2 {
		if err := s.Ops.Autocreate(ctx, user("dora")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ops.Autocreate(ctx, user("cyrus")); err != nil {
		t.Fatal(err)
	}
	want(t, s, "user.dora user.dora.Junk mail user.dora.Sent")
	if got, err := s.Ops.SpecialUses(ctx, "dora"); got["user.dora.Sent"] != `\Sent` || err != nil {
		t.Errorf("uses %v, %v", got, err)
	}
	if got, err := s.Subs.List(s.Ops.User("dora")); fmt.Sprint(got) != "[user.dora user.dora.Sent]" || err != nil {
		t.Errorf("subscriptions %v, %v", got, err)
	}
	if q, err := s.Quota.Get("user.dora"); err != nil || q.Limit[quota.Storage] != 2048 {
		t.Errorf("quota %+v, %v", q, err)
	}
}
