package interop

import (
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// swaks delivers over LMTP by the socket and by the port, which is trusted and so
// has no STARTTLS to offer, as in Cyrus.
func TestSwaks(t *testing.T) {
	path := program(t, "swaks")
	s := start(t, cyrustest.Options{}, "alice", "bob")
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"socket", []string{"--socket", s.LMTPSocket}},
		{"port", []string{"--server", s.LMTP}},
		{"pipelining", []string{"--server", s.LMTP, "--pipeline"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"--protocol", "LMTP", "--to", "alice,bob", "--from", "a@example.com", "--header", "Subject: by " + tc.name, "--body", "Text."}, tc.args...)
			newClient(t, path, args...).must(t)
			for _, user := range []string{"alice", "bob"} {
				if got := subjects(t, s, user, "INBOX"); !strings.Contains(strings.Join(got, ","), "by "+tc.name) {
					t.Errorf("%s has %q", user, got)
				}
			}
		})
	}
	// A user who does not exist: swaks ends with its status for a refused
	// recipient, 24.
	c := newClient(t, path, "--protocol", "LMTP", "--socket", s.LMTPSocket, "--to", "nobody", "--from", "a@example.com")
	if status := c.status(t); status != 24 || !strings.Contains(c.out.String(), "550-Mailbox unknown.") {
		t.Errorf("status %d\n%s", status, &c.out)
	}
}
