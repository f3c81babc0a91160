package repair

import (
	"errors"
	"testing"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// setType changes the record of a mailbox as who moves it does.
func setType(t *testing.T, s *site.Site, n mboxname.Name, typ, server string) {
	t.Helper()
	err := s.List.Update(func(tx *mboxlist.Tx) error {
		e, err := tx.Lookup(n)
		if err != nil {
			return err
		}
		e.Type, e.Server = typ, server
		return tx.Put(e)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFixQuotaMoving: mailboxes that are on their way to another server, or from one, are on
// the account of their quota root until their files are gone, and the root is not one without
// mailboxes.
func TestFixQuotaMoving(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-default").open(t)
	if _, err := FixQuota(t.Context(), s, Selection{}, false); err != nil {
		t.Fatal(err)
	}
	for _, n := range []mboxname.Name{"user.bob", "user.alice"} {
		e := entry(t, s, n)
		typ := e.Type
		if err := s.Mailboxes.Freeze(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"em", "emr", "er"} {
			setType(t, s, n, way, "be2.example.org")
			if found, err := FixQuota(t.Context(), s, Selection{}, false); err != nil || len(found) > 0 {
				t.Errorf("%s, %s: %q, %v", n, way, lines(found), err)
			}
		}
		setType(t, s, n, typ, "")
		if err := s.Mailboxes.Thaw(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReconstructMoved: who has waited for a mailbox until it was another server's leaves
// alone what there is of it.
func TestReconstructMoved(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-default").open(t)
	e := entry(t, s, "user.bob")
	for _, way := range []string{"em", "emr", "er"} {
		setType(t, s, "user.bob", way, "be2.example.org")
		before := entry(t, s, "user.bob")
		if found, err := Reconstruct(t.Context(), s, e, Options{}); !errors.Is(err, ErrNotLocal) {
			t.Errorf("%s: %q, %v", way, lines(found), err)
		}
		if now := entry(t, s, "user.bob"); now.Type != before.Type || now.Server != before.Server {
			t.Errorf("%s: %+v", way, now)
		}
	}
}
