package mboxname

import (
	"errors"
	"testing"
)

var (
	modern  = &Namespace{Alt: true, UnixSep: true, UserPrefix: "Other Users", SharedPrefix: "Shared Folders", AltPrefix: "Alt Folders", DefaultDomain: "internal"}
	classic = &Namespace{UserPrefix: "Other Users", SharedPrefix: "Shared Folders", AltPrefix: "Alt Folders", DefaultDomain: "internal"}
	virtual = &Namespace{Alt: true, UnixSep: true, UserPrefix: "Other Users", SharedPrefix: "Shared Folders", AltPrefix: "Alt Folders", Virtual: VirtualUserID, DefaultDomain: "internal"}
	crossed = &Namespace{Alt: true, UnixSep: true, UserPrefix: "Other Users", SharedPrefix: "Shared Folders", AltPrefix: "Alt Folders", Virtual: VirtualUserID, DefaultDomain: "internal", CrossDomains: true}
)

// Pairs hold both ways: what one user sees and the name behind it.
func TestViewPairs(t *testing.T) {
	for _, tc := range []struct {
		name     string
		view     *View
		external string
		internal Name
	}{
		{"inbox", modern.View("alice", false), "INBOX", "user.alice"},
		{"own folder", modern.View("alice", false), "Work/2024", "user.alice.Work.2024"},
		{"dot in a component", modern.View("alice", false), "a.b/c", "user.alice.a^b.c"},
		{"below inbox", modern.View("alice", false), "INBOX/sub", "user.alice.INBOX.sub"},
		{"other user", modern.View("alice", false), "Other Users/dave.smith/x", "user.dave^smith.x"},
		{"shared", modern.View("alice", false), "Shared Folders/shared/pub", "shared.pub"},
		{"hidden by altnamespace", modern.View("alice", false), "Alt Folders/Other Users/x", "user.alice.Other Users.x"},
		{"lower-case inbox folder", modern.View("alice", false), "Alt Folders/inbox", "user.alice.inbox"},
		{"a folder called user", modern.View("alice", false), "user/bob", "user.alice.user.bob"},
		{"administrator", modern.View("cyrus", true), "user/alice/Work", "user.alice.Work"},
		{"administrator, dots", modern.View("cyrus", true), "user/dave.smith/a.b", "user.dave^smith.a^b"},
		{"administrator, shared", modern.View("cyrus", true), "shared/pub", "shared.pub"},
		{"administrator, deleted", modern.View("cyrus", true), "DELETED/user/alice/Tmp/6B0277E4", "DELETED.user.alice.Tmp.6B0277E4"},
		{"administrator's own", modern.View("cyrus", true), "INBOX/x", "user.cyrus.x"},
		{"standard inbox", classic.View("alice", false), "INBOX", "user.alice"},
		{"standard folder", classic.View("alice", false), "INBOX.Work.2024", "user.alice.Work.2024"},
		{"standard other", classic.View("alice", false), "user.bob.x", "user.bob.x"},
		{"standard shared", classic.View("alice", false), "shared.pub", "shared.pub"},
		{"standard dotted user", classic.View("alice", false), "user.dave^smith", "user.dave^smith"},
		{"virtual user", virtual.View("zed@other.org", false), "Work", "other.org!user.zed.Work"},
		{"virtual shared", virtual.View("zed@other.org", false), "Shared Folders/team", "other.org!team"},
		{"virtual administrator", virtual.View("cyrus", true), "user/zed/Work@other.org", "other.org!user.zed.Work"},
		{"virtual administrator, default domain", virtual.View("cyrus", true), "user/bob", "user.bob"},
		{"domain administrator", virtual.View("admin@other.org", true), "user/zed@other.org", "other.org!user.zed"},
		{"crossed domains", crossed.View("bob", false), "Other Users/zed@other.org/Work", "other.org!user.zed.Work"},
		{"crossed, default domain", crossed.View("bob", false), "Other Users/ann@internal", "user.ann"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if n, err := tc.view.Internal(tc.external); n != tc.internal || err != nil {
				t.Errorf("Internal(%q) = %q, %v; want %q", tc.external, n, err, tc.internal)
			}
			if s, ok := tc.view.External(tc.internal); s != tc.external || !ok {
				t.Errorf("External(%q) = %q, %v; want %q", tc.internal, s, ok, tc.external)
			}
		})
	}
	// What an administrator of a domain leaves out is that.
	if n, err := virtual.View("admin@other.org", true).Internal("user/zed"); n != "other.org!user.zed" || err != nil {
		t.Errorf("without the domain: %q, %v", n, err)
	}
}

func TestInternalOneWay(t *testing.T) {
	alice, cyrus := modern.View("alice", false), modern.View("cyrus", true)
	for _, tc := range []struct {
		name string
		view *View
		in   string
		want Name
		err  error
	}{
		{"inbox in any case", alice, "inbox", "user.alice", nil},
		{"inbox subfolder in any case", alice, "inbox/x", "user.alice.INBOX.x", nil},
		{"trailing separator", alice, "Work/", "user.alice.Work", nil},
		{"doubled separator", cyrus, "user/sam/a//b", "user.sam.a.b", nil},
		{"caret", alice, "a^b", "", ErrBad},
		{"empty", alice, "", "", ErrBad},
		{"only separators", alice, "//", "", ErrBad},
		{"NUL", alice, "a\x00b", "", ErrBad},
		{"domain mark", alice, "a!b", "", ErrBad},
		{"slash in the standard namespace", classic.View("alice", false), "a/b", "", ErrBad},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := tc.view.Internal(tc.in); got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("Internal(%q) = %q, %v; want %q, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
	if s, ok := alice.External("DELETED.user.alice.Tmp.6B0277E4"); ok {
		t.Errorf("a user sees a deleted mailbox as %q", s)
	}
	if s, ok := virtual.View("bob", false).External("other.org!user.zed"); ok {
		t.Errorf("a user sees another domain as %q", s)
	}
}

func TestDB(t *testing.T) {
	for _, tc := range []struct{ name, db string }{
		{"user.dave^smith.Sub^folder", "user\x1fdave.smith\x1fSub.folder"},
		{"example.org!user.zoe", "example.org\x1duser\x1fzoe"},
		{"shared", "shared"},
	} {
		if got := Name(tc.name).DB(); got != tc.db {
			t.Errorf("%q.DB() = %q, want %q", tc.name, got, tc.db)
		}
		if got, err := FromDB(tc.db); string(got) != tc.name || err != nil {
			t.Errorf("FromDB(%q) = %q, %v", tc.db, got, err)
		}
	}
}

func TestOwner(t *testing.T) {
	for _, tc := range []struct {
		name  Name
		owner string
		inbox bool
	}{
		{"user.alice", "alice", true},
		{"user.dave^smith.x", "dave.smith", false},
		{"example.org!user.zoe", "zoe@example.org", true},
		{"DELETED.user.alice.Tmp.6B0277E4", "alice", false},
		{"shared.pub", "", false},
		{"user", "", false},
		{"DELETED", "", false},
	} {
		if got := tc.name.Owner(); got != tc.owner {
			t.Errorf("%q.Owner() = %q, want %q", tc.name, got, tc.owner)
		}
		if got := tc.name.IsInbox(); got != tc.inbox {
			t.Errorf("%q.IsInbox() = %v", tc.name, got)
		}
	}
	if got := Inbox("zoe.x@example.org"); got != "example.org!user.zoe^x" {
		t.Errorf("Inbox = %q", got)
	}
}

func TestDeleted(t *testing.T) {
	d := Name("example.org!user.zoe.x").Deleted(0x6B0277E4)
	if d != "example.org!DELETED.user.zoe.x.6B0277E4" {
		t.Errorf("got %q", d)
	}
	if was, stamp, ok := d.Undeleted(); was != "example.org!user.zoe.x" || stamp != 0x6B0277E4 || !ok {
		t.Errorf("got %q %x %v", was, stamp, ok)
	}
}

func TestTree(t *testing.T) {
	if p, ok := Name("user.alice.x").Parent(); p != "user.alice" || !ok {
		t.Errorf("parent %q %v", p, ok)
	}
	for _, top := range []Name{"user.alice", "shared", "example.org!team"} {
		if p, ok := top.Parent(); ok {
			t.Errorf("%q has parent %q", top, p)
		}
	}
	if !Name("user.a").IsAncestorOf("user.a.b") || Name("user.a").IsAncestorOf("user.ab") || Name("user.a").IsAncestorOf("user.a") {
		t.Error("IsAncestorOf")
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name Name
		ok   bool
	}{
		{"user.alice.Work", true},
		{"user.alice.&AOkA4ADp-", true},
		{"user.alice.a&-b", true},
		{"user.alice.&-&-", true},
		{"user.alice.&AOk", false},  // not ended
		{"user.alice.&AGE-", false}, // "a" needs no shift
		{"user.alice.&AOl-", false}, // stray bits
		{"user.alice.&A?k-", false}, // not base64
		{"user.alice.&AOk-&AOA-", false},
		{"user", false},
		{"user.anyone", false},
		{"user.%x", false},
		{"~x", false},
		{"$RACL", false},
		{"user..x", false},
		{"user.x.", false},
		{"user.x.a%b", false},
		{"user.x.a\tb", false},
		{"user.x.\xc3\xa9", false},
		{"DELETED.user.x.a%b.6B0277E4", true},
		{"", false},
	} {
		if err := tc.name.Check(); (err == nil) != tc.ok {
			t.Errorf("%q.Check() = %v", tc.name, err)
		}
	}
	long := make([]byte, MaxCreate+1)
	for i := range long {
		long[i] = "abcdefghi."[i%10]
	}
	if Name(long).Check() == nil || Name(long[:MaxCreate-1]).Check() != nil {
		t.Error("length limit")
	}
}

// Paths as real spools have them.
func TestLayout(t *testing.T) {
	plain := &Layout{ConfigDir: "/c", LockDir: "/c/lock", SieveDir: "/s"}
	full := &Layout{ConfigDir: "/c", LockDir: "/c/lock", SieveDir: "/s", HashSpool: true, FullHash: true}
	for _, tc := range []struct{ got, want string }{
		{plain.MailboxDir("/p", "user.alice", "8x3cabc", false), "/p/uuid/8/x/8x3cabc"},
		{plain.MailboxDir("/p", "user.dave^smith.X", "8x3cabc", true), "/p/user/dave^smith/X"},
		{full.MailboxDir("/p", "user.dave^smith.X", "", true), "/p/G/user/dave^smith/X"},
		{full.MailboxDir("/p", "DELETED.user.eve.6B027807", "", true), "/p/C/DELETED/user/eve/6B027807"},
		{full.MailboxDir("/p", "example.org!user.zoe", "", true), "/p/domain/O/example.org/J/user/zoe"},
		{plain.UserFile("dave.smith", "sub", ""), "/c/user/d/dave.smith.sub"},
		{full.UserFile("dave.smith", "sub", ""), "/c/user/G/dave.smith.sub"},
		{full.UserFile("zoe@example.org", "sub", ""), "/c/domain/O/example.org/user/J/zoe.sub"},
		{plain.UserFile("alice", "seen", "8x3cabc"), "/c/user/uuid/8/x/8x3cabc/seen.db"},
		{full.SieveUserDir("dave.smith", ""), "/s/G/dave.smith"},
		{full.SieveUserDir("zoe@example.org", ""), "/s/domain/O/example.org/J/zoe"},
		{full.SieveUserDir("alice", "8x3cabc"), "/s/uuid/8/x/8x3cabc"},
		{full.QuotaFile("user.dave^smith"), "/c/quota/F/user.dave^smith"},
		{full.QuotaFile("user.alice"), "/c/quota/L/user.alice"},
		{plain.LockFile("8x3cabc"), "/c/lock/8x3cabc.lock"},
		{full.LockFile("0123abc"), "/c/lock/K/0123abc.lock"},
		{full.LockFile("user.bob.Sub"), "/c/lock/E/user/bob/Sub.lock"},
		{full.LockFile(UserLock("alice")), "/c/lock/U/*U*alice.lock"},
		{full.LockFile(UserLock("")), "/c/lock/D/*U*.lock"},
		{full.LockFile(UserLock("zoe@example.org")), "/c/lock/V/*U*zoe@example^org.lock"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}

// What a view can spell, it reads back as the same mailbox.
func FuzzView(f *testing.F) {
	for _, s := range []string{"INBOX", "Other Users/bob/x", "a.b", "INBOX/INBOX", "Alt Folders/inbox", "user/x@other.org", "DELETED/user/a/b/6B0277E4"} {
		f.Add(s)
	}
	views := []*View{modern.View("alice", false), modern.View("cyrus", true), classic.View("alice", false), virtual.View("z@other.org", false), virtual.View("cyrus", true), crossed.View("bob", false)}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range views {
			n, err := v.Internal(s)
			if err != nil || n.Check() != nil {
				continue
			}
			ext, ok := v.External(n)
			if !ok {
				continue
			}
			if again, err := v.Internal(ext); again != n || err != nil {
				t.Errorf("%q is %q, spelt %q, read back %q, %v", s, n, ext, again, err)
			}
		}
	})
}

func BenchmarkExternal(b *testing.B) {
	v := modern.View("cyrus", true)
	b.ReportAllocs()
	for b.Loop() {
		v.External("user.dave^smith.Archive.2025")
	}
}
