package xfer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/seen"
)

// TestReaders: whoever has seen anything of a mailbox is found, wherever it is kept, and
// nobody by what is not in use.
func TestReaders(t *testing.T) {
	m := mover(t, append(murderLines, "virtdomains: userid", "unixhierarchysep: yes")...)
	create(t, m, "", "user.alice", "user.bob", "shared", "example.org!user.dan")
	put := func(userid, inboxID string, ids ...string) {
		t.Helper()
		for _, id := range ids {
			if err := m.site.Seen.For(userid, inboxID).Put(id, seen.Record{LastUID: 1, LastChange: 1, UIDs: "1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("alice", m.site.Ops.InboxID("alice"), "one", "two")
	put("bob", "", "one") // from when there was no INBOX
	put("carol", "", "one")
	put("eve.x@example.net", "", "two")
	put("dan@example.org", m.site.Ops.InboxID("dan@example.org"), "two")
	put("nobody", "9a2cbf3e-5b0e-4a7c-8a3b-0d2f5a7b1c9e", "one")
	damaged := m.site.Layout.UserFile("mallory", "seen", "")
	if err := os.MkdirAll(filepath.Dir(damaged), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(want map[string][]string) {
		t.Helper()
		found, err := m.readers.find(t.Context(), []string{"one", "two", "three"})
		if err != nil || len(found) != len(want) {
			t.Fatalf("%q, %v, want %q", found, err, want)
		}
		for id, users := range want {
			slices.Sort(found[id])
			if !slices.Equal(found[id], users) {
				t.Errorf("%s: %q, want %q", id, found[id], users)
			}
		}
	}
	want := map[string][]string{"one": {"alice", "carol"}, "two": {"alice", "dan@example.org", "eve.x@example.net"}}
	find(want)

	// What has changed since is seen when looking is worth it.
	put("zoe", "", "one")
	m.readers.ended, m.readers.took = time.Now(), time.Hour
	find(want)
	m.readers.ended = time.Now().Add(-(lookShare + 1) * time.Hour)
	want["one"] = append(want["one"], "zoe")
	find(want)
}

// TestIsOpen: users are looked for where there may be any that the access list does not name.
func TestIsOpen(t *testing.T) {
	for _, tc := range []struct {
		name mboxname.Name
		acl  string
		want bool
	}{
		{"user.alice", "alice\tlrswip\t", false},
		{"user.alice", "alice\tlrswip\tbob\tlrs\t", false},
		{"user.alice", "alice\tlrswip\tanyone\tp\t", true},
		{"user.alice.x", "group:staff\tlrs\t", true},
		{"DELETED.user.alice.x.1", "anyone\tlrs\t", false},
		{"shared", "", true},
		{"DELETED.shared.1", "anyone\tlrs\t", false},
	} {
		if got := isOpen(&mboxlist.Entry{Name: tc.name, ACL: tc.acl}); got != tc.want {
			t.Errorf("%s %q: %v", tc.name, tc.acl, got)
		}
	}
}

// BenchmarkReaders is a look at a thousand users, of whom each has read three mailboxes.
func BenchmarkReaders(b *testing.B) {
	m := mover(b, murderLines...)
	for n := range 1000 {
		db := m.site.Seen.For(fmt.Sprintf("user%d", n), "")
		for box := range 3 {
			if err := db.Put(fmt.Sprintf("box%d", box), seen.Record{LastUID: 1, UIDs: "1"}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		if err := m.readers.look(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSeenSame: while nobody may read a mailbox those databases alone are read that may have
// changed since they were read before.
func TestSeenSame(t *testing.T) {
	m := mover(t, murderLines...)
	v := &move{Mover: m, seenFiles: map[string]os.FileInfo{}}
	db := m.site.Seen.For("carol", "")
	put := func(uids string, age time.Duration) {
		t.Helper()
		if err := db.Put("one", seen.Record{LastUID: 1, UIDs: uids}); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(m.site.Layout.UserFile("carol", "seen", ""), at, at); err != nil {
			t.Fatal(err)
		}
	}
	look := func(what string, want bool) {
		t.Helper()
		begun := time.Now()
		if f := v.seenOf("carol"); f == nil || f.same != want {
			t.Errorf("%s: %+v, want %v", what, f, want)
		}
		v.looked = begun
	}
	if f := v.seenOf("carol"); f != nil {
		t.Errorf("there is none: %+v", f)
	}
	put("1", time.Minute)
	look("for the first time", false)
	look("as it was", true)
	put("1:2", time.Minute)
	look("of the same time, and longer", false)
	put("1:3", 0)
	look("just now", false)
	look("just before the last look", false)
}
