package mboxlist

import (
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/mboxname"
)

// TestRecoverReserved checks that what was being made here is forgotten, and nothing
// else: a master's reservation is a mailbox that moves, too.
func TestRecoverReserved(t *testing.T) {
	l, err := Open(Options{Path: filepath.Join(t.TempDir(), "mailboxes.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := []mboxname.Name{"user.here", "user.moving", "user.there"}
	for _, e := range []Entry{
		{Name: "user.here", Type: "e", Partition: "default", UniqueID: "here"},
		{Name: "user.made", Type: "ez", Partition: "default"},
		{Name: "user.moving", Type: "erz", Server: "be1.example.org", Partition: "default"},
		{Name: "user.there", Type: "er", Server: "be1.example.org", Partition: "default"},
	} {
		if err := l.Update(func(tx *Tx) error { return tx.Put(&e) }); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	if err := l.Recover(Options{}, func(text string) { told = append(told, text) }); err != nil {
		t.Fatal(err)
	}
	var have []mboxname.Name
	if err := l.Scan("", func(v View) error { have = append(have, v.Name()); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(have, want) {
		t.Errorf("left are %v, want %v", have, want)
	}
	if !slices.Equal(told, []string{"removed reserved mailbox 'user.made'"}) {
		t.Errorf("told %q", told)
	}
}
