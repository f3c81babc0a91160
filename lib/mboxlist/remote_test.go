package mboxlist

import (
	"path/filepath"
	"testing"

	"gocyrus/lib/mboxname"
)

// TestRemote stores what a MUPDATE master knows and reads it back in both ways.
func TestRemote(t *testing.T) {
	l, err := Open(Options{Path: filepath.Join(t.TempDir(), "mailboxes.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tc := range []struct {
		name mboxname.Name
		e    Entry
		acl  string // as read
	}{
		{"user.whole", Entry{Type: "er", Server: "be1.example.org", Partition: "default", ACL: "a\tlrs\t"}, "a\tlrs\t"},
		{"user.bang", Entry{Type: "er", Server: "be1.example.org", EmptyPartition: true, ACL: "a\tlrs\tanyone\tp\t"}, "a\tlrs\tanyone\tp\t"},
		{"user.nobang", Entry{Type: "er", Server: "be1.example.org"}, ""},
		{"user.reserved", Entry{Type: "erz", Server: "be1.example.org", Partition: "p2"}, ""},
		{"user.local", Entry{Type: "e", Partition: "p2", ACL: "a\t "}, "a\t \t"},
	} {
		want := tc.e
		want.Name = tc.name
		if err := l.Update(func(tx *Tx) error { return tx.Put(&want) }); err != nil {
			t.Fatal(err)
		}
		got, err := l.Lookup(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		if got.Type != want.Type || got.Server != want.Server || got.Partition != want.Partition ||
			got.EmptyPartition != want.EmptyPartition || got.ACL != tc.acl || NormalACL(want.ACL) != tc.acl {
			t.Errorf("%s: stored %+v, read %+v", tc.name, want, got)
		}
		err = l.Scan(tc.name.DB(), func(v View) error {
			r, err := v.Remote(nil)
			if err != nil {
				return err
			}
			if string(r.Type) != want.Type || string(r.Server) != want.Server || string(r.Partition) != want.Partition ||
				r.HasPartition != (want.Partition != "" || want.EmptyPartition) || string(r.ACL) != tc.acl ||
				r.Is(FlagReserved) != want.Is(FlagReserved) {
				t.Errorf("%s: stored %+v, scanned %+v", tc.name, want, r)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
