package delivery

import (
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

func TestAddress(t *testing.T) {
	slash := mboxname.Namespace{Alt: true, UnixSep: true}
	dots := mboxname.Namespace{}
	domains := mboxname.Namespace{Alt: true, UnixSep: true, Virtual: mboxname.VirtualUserID, DefaultDomain: "here.org"}
	fold := Options{Downcase: true}
	for _, tc := range []struct {
		name     string
		ns       mboxname.Namespace
		opts     Options
		in       string
		top, box mboxname.Name
	}{
		{"user", slash, fold, "alice", "user.alice", "user.alice"},
		{"case folds up to the detail", slash, fold, "ALICE+Work", "user.alice", "user.alice.Work"},
		{"case stays", slash, Options{}, "ALICE+Work", "user.ALICE", "user.ALICE.Work"},
		{"domain is ignored", slash, fold, "alice@x.org", "user.alice", "user.alice"},
		{"detail and domain", slash, fold, "alice+a/b@x.org", "user.alice", "user.alice.a.b"},
		{"dots are of the name", slash, fold, "dave.smith+a.b", "user.dave^smith", "user.dave^smith.a^b"},
		{"dots separate", dots, fold, "alice+a.b", "user.alice", "user.alice.a.b"},
		{"empty components", slash, fold, "alice+/a//b/", "user.alice", "user.alice.a.b"},
		{"second plus", slash, fold, "alice+a+b", "user.alice", "user.alice.a+b"},
		{"UTF-8", slash, fold, "alice+Entw\u00fcrfe", "user.alice", "user.alice.Entw&APw-rfe"},
		{"UTF-7", slash, fold, "alice+Entw&APw-rfe", "user.alice", "user.alice.Entw&APw-rfe"},
		{"an ampersand", slash, fold, "alice+a&b", "user.alice", "user.alice.a&-b"},
		{"not UTF-8", slash, fold, "alice+\xff", "user.alice", "user.alice.\xff"},
		{"shared", slash, fold, "+shared/Pub", "shared.Pub", "shared.Pub"},
		{"shared with a dot", slash, fold, "+a.b/c", "a^b.c", "a^b.c"},
		{"shared by postuser", slash, Options{PostUser: "bb"}, "bb+shared", "shared", "shared"},
		{"quoted", slash, fold, `"alice"`, `user."alice"`, `user."alice"`},
		{"nothing", slash, fold, "", "", ""},
		{"no folder", slash, fold, "+", "", ""},
		{"virtual domain", domains, fold, "Zoe+a@Example.ORG", "example.org!user.zoe", "example.org!user.zoe.a"},
		{"default domain", domains, fold, "zoe@here.org", "user.zoe", "user.zoe"},
		{"shared in a domain", domains, fold, "+pub/x@example.org", "example.org!pub.x", "example.org!pub.x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &Deliverer{opts: tc.opts, site: &site.Site{Namespace: &tc.ns}}
			a := d.address(tc.in)
			if a.Top() != tc.top || a.Mailbox() != tc.box {
				t.Errorf("%q: %q, %q; want %q, %q", tc.in, a.Top(), a.Mailbox(), tc.top, tc.box)
			}
		})
	}
}

func TestAlike(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"Work", "wORK", true},
		{"a b", "A-B", true},
		{"a_b", "a b", true},
		{"a_b", "a.b", false},
		{"[", "{", false}, // 0x20 apart, and no letters
		{"ab", "abc", false},
	} {
		if got := alike(tc.a, tc.b); got != tc.want {
			t.Errorf("alike(%q, %q) = %v", tc.a, tc.b, got)
		}
	}
}

// FuzzAddress checks that no address leads out of its user's mailboxes.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"alice+../bob", "a@b@c", "+user/bob", "user.bob", "a!b+c", "^+^", "a+b\x1fc"} {
		f.Add(s)
	}
	ns := mboxname.Namespace{Alt: true, UnixSep: true, Virtual: mboxname.VirtualUserID}
	d := &Deliverer{opts: Options{Downcase: true}, site: &site.Site{Namespace: &ns}}
	f.Fuzz(func(t *testing.T, s string) {
		a := d.address(s)
		top, box := a.Top(), a.Mailbox()
		if a.User != "" && top != box && !top.IsAncestorOf(box) {
			t.Errorf("%q: %q is not below %q", s, box, top)
		}
	})
}
