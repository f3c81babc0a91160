package mailbox

import (
	"os"
	"testing"

	"gocyrus/lib/indexfile"
)

// A delete that was killed leaves files where a legacy mailbox of that name is
// made again: cache and annotations of the old one are not the new one's.
func TestCreateOverLeftovers(t *testing.T) {
	s, e := newStore(t, nil)
	p, err := s.pathsOf(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{p.cache, p.annots} {
		if err := os.WriteFile(f, []byte("\x00\x00\x00\x04 of another"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := *e
	again.UIDValidity = 0
	if err := s.Create(t.Context(), &again, CreateOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	m := open(t, s, &again)
	defer m.Close()
	f, msg := staged(t, t.TempDir(), "first", 100)
	err = m.Update(t.Context(), func(tx *Tx) error {
		_, _, err := tx.Append(Append{File: f, Message: msg, Flags: indexfile.Seen})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	checkMailbox(t, m)
	err = m.View(t.Context(), func(v *View) error {
		if all, err := v.Annots(1); len(all) != 0 || err != nil {
			t.Errorf("annotations %v, %v", all, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
