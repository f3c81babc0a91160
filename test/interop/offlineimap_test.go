package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/cyrustest"
)

const offlineimapConf = `[general]
accounts = test
metadata = %[4]s/metadata
ui = quiet
fsync = false

[Account test]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = %[4]s/near

[Repository far]
type = IMAP
remotehost = localhost
remoteport = %[1]s
ssl = yes
sslcacertfile = %[2]s
remoteuser = alice
remotepass = %[3]s
maxconnections = 2
`

// offlineimap brings mail both ways; a second run changes nothing.
func TestOfflineimap(t *testing.T) {
	path := program(t, "offlineimap")
	s := start(t, cyrustest.Options{}, "alice")
	c := s.Login("alice")
	if err := c.Create("Work/2026", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 20 {
		subject := fmt.Sprintf("message %d", i)
		want = append(want, subject)
		s.Append(c, "INBOX", cyrustest.Message(subject))
	}
	s.Append(c, "Work/2026", cyrustest.Message("at work"))

	dir := t.TempDir()
	rc := filepath.Join(dir, "rc")
	writeFile(t, rc, fmt.Sprintf(offlineimapConf, port(t, s.IMAPS), s.CAFile, cyrustest.Password, dir))
	run := func() {
		t.Helper()
		newClient(t, path, "-c", rc, "-o").must(t)
	}
	run()
	if n := len(maildir(t, dir, "INBOX")); n != 20 {
		t.Errorf("%d messages in INBOX, want 20", n)
	}
	if n := len(maildir(t, dir, "Work.2026")); n != 1 {
		t.Errorf("%d messages in Work.2026, want 1", n)
	}
	writeFile(t, filepath.Join(dir, "near", "INBOX", "new", "1800000000.1.host"), "From: alice@example.com\nSubject: from the maildir\nMessage-ID: <local@example.com>\n\nText.\n")
	run()
	wantSubjects(t, s, "alice", "INBOX", append(want, "from the maildir")...)

	folders := map[string]int{"INBOX": 21, "Work/2026": 1}
	before := farState(t, s, folders)
	run()
	if after := farState(t, s, folders); !slices.Equal(before, after) {
		t.Errorf("a run with nothing to do changed%s", difference(before, after))
	}
}
