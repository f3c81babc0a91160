package mailbox

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"gocyrus/lib/mboxlist"
)

// TestOldVersions opens a mailbox of each version before 12: it is read, not
// changed, and can be made a new one.
func TestOldVersions(t *testing.T) {
	sp := unpack(t, "cyrus-3.6.1-default")
	s := NewStore(OptionsFrom(sp.cfg), nil, nil)
	defer s.Close()
	var e *mboxlist.Entry
	for _, e = range sp.entries {
		if e.Name == "user.alice.Expunge" {
			break
		}
	}
	m := open(t, s, e)
	defer m.Close()
	// Those who were not expunged when the samples were made.
	want := messages(t, m)
	for _, version := range []int{6, 7, 8, 9, 10} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			sample, err := os.ReadFile(fmt.Sprintf("../indexfile/testdata/v%d.index", version))
			if err != nil {
				t.Fatal(err)
			}
			if err := replaceFile(m.Path("index"), sample); err != nil {
				t.Fatal(err)
			}
			if got := messages(t, m); len(got) != 7 {
				t.Fatalf("%d messages", len(got))
			}
			err = m.Update(t.Context(), func(tx *Tx) error { return tx.Expunge(1) })
			if !errors.Is(err, ErrBadFormat) {
				t.Errorf("a change: %v, want %v", err, ErrBadFormat)
			}
			if err := m.SetVersion(t.Context(), 17); err != nil {
				t.Fatal(err)
			}
			checkMailbox(t, m)
			got := messages(t, m)
			for _, w := range want {
				found := false
				for _, g := range got {
					found = found || g.UID == w.UID && g.GUID == w.GUID && g.Size == w.Size && g.InternalDate == w.InternalDate
				}
				if !found {
					t.Errorf("uid %d is lost or another", w.UID)
				}
			}
		})
	}
}
