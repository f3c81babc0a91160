package interop

import (
	"testing"

	"gocyrus/lib/cyrustest"
)

// Perl's Mail::IMAPTalk, which Cyrus's own test suite is written with. The
// script checks each answer and says which one is wrong.
func TestIMAPTalk(t *testing.T) {
	perl := program(t, "perl")
	if newClient(t, perl, "-MMail::IMAPTalk", "-e", "1").status(t) != 0 {
		t.Skip("Perl's Mail::IMAPTalk is not installed")
	}
	s := start(t, cyrustest.Options{}, "alice")
	script := absolute(t, "testdata/imaptalk.pl")
	t.Log(newClient(t, perl, script, "127.0.0.1", port(t, s.IMAP), "alice", cyrustest.Password).must(t))
}
