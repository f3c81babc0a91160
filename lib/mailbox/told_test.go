package mailbox

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// listed gives a store a list with the mailboxes of es.
func listed(t *testing.T, s *Store, es ...*mboxlist.Entry) {
	t.Helper()
	db, err := cyrusdb.Open("twoskip", filepath.Join(t.TempDir(), "mailboxes.db"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	s.list = mboxlist.New(db, mboxlist.Options{})
	t.Cleanup(func() { s.list.Close() })
	err = s.list.Update(func(tx *mboxlist.Tx) error {
		for _, e := range es {
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// notes are the files of notes of a store, one after the other.
func notes(t *testing.T, s *Store) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.notesDir(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// noted says whether a note of an id stands: its text, and its length before it.
func noted(b []byte, id string) bool {
	at := bytes.Index(b, []byte(id))
	return at >= 4 && !bytes.Equal(b[at-4:at], make([]byte, 4))
}

// TestNoteUntilTold has a note of the change there when the sinks are told, and
// gone when Update returns; and whoever finds the note of a process that died in
// between tells them again.
func TestNoteUntilTold(t *testing.T) {
	var s *Store
	var left []byte
	told := 0
	s, e := newStore(t, nil, change.Func(func(c *change.Commit) {
		told++
		left = notes(t, s)
		if !noted(left, c.UniqueID) {
			t.Error("the sink is told, and there is no note")
		}
	}))
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 1)
	if told != 1 {
		t.Fatalf("told %d times", told)
	}
	if noted(notes(t, s), e.UniqueID) {
		t.Error("the note has stayed")
	}
	var heard []change.Commit
	later := NewStore(s.opt, nil, nil, change.Func(func(c *change.Commit) { heard = append(heard, *c) }))
	defer later.Close()
	listed(t, later, e)
	dead := filepath.Join(s.notesDir(), "1.0")
	if err := os.WriteFile(dead, left, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := later.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 1 || heard[0].Name != e.Name || heard[0].UniqueID != e.UniqueID || !heard[0].Header {
		t.Errorf("heard %+v", heard)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead process's file: %v", err)
	}
}

// TestToldAfterCrash lets the machine go down: the sinks hear of mailboxes whose
// file is dated after the last note, or that got a message since.
func TestToldAfterCrash(t *testing.T) {
	s, e := newStore(t, nil)
	entries := []*mboxlist.Entry{e}
	for _, n := range []mboxname.Name{"user.alice.appended", "user.alice.old", "user.alice.recent"} {
		c := *e
		c.Name, c.UniqueID, c.UIDValidity = n, s.NewUniqueID(), 0
		if err := s.Create(t.Context(), &c, CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, &c)
	}
	appended := open(t, s, entries[1])
	defer appended.Close()
	add(t, appended, 1)
	var heard []mboxname.Name
	later := NewStore(s.opt, nil, nil, change.Func(func(c *change.Commit) { heard = append(heard, c.Name) }))
	defer later.Close()
	listed(t, later, entries...)
	now := time.Now()
	for _, e := range entries {
		p, err := s.pathsOf(e)
		if err != nil {
			t.Fatal(err)
		}
		date := now.Add(-24 * time.Hour)
		if e.Name == "user.alice.recent" {
			date = now.Add(-2 * time.Hour)
		}
		if err := os.Chtimes(p.index, date, date); err != nil {
			t.Fatal(err)
		}
	}
	dead := filepath.Join(s.notesDir(), "1.0")
	if err := os.MkdirAll(s.notesDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dead, make([]byte, 8192), 0o600); err != nil { // its head is lost
		t.Fatal(err)
	}
	if at := now.Add(-2 * time.Hour); os.Chtimes(dead, at, at) != nil {
		t.Fatal("date of the notes")
	}
	if err := later.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(heard)
	if want := []mboxname.Name{"user.alice.appended", "user.alice.recent"}; !slices.Equal(heard, want) {
		t.Errorf("heard of %v, want %v", heard, want)
	}
}
