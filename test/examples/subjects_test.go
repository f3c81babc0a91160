package examples

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/lib/cyrustest"
)

// eventually waits until a user's INBOX on a server has messages with these
// subjects, and no other.
func eventually(t *testing.T, s *cyrustest.Server, user string, want ...string) {
	t.Helper()
	c := s.Login(user)
	defer c.Close()
	var got []string
	for deadline := time.Now().Add(cyrustest.Patience); len(got) < len(want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s has %q, want %q", user, got, want)
		}
		got = subjects(t, c)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", user, got, want)
	}
}

// subjects are those of INBOX, sorted.
func subjects(t *testing.T, c *imapclient.Client) []string {
	t.Helper()
	box, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if box.NumMessages == 0 {
		return nil
	}
	list, err := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1}}, &imap.FetchOptions{Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range list {
		all = append(all, m.Envelope.Subject)
	}
	slices.SortFunc(all, strings.Compare)
	return all
}
