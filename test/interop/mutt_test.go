package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

const muttConf = `set folder="imaps://localhost:%[1]s/"
set spoolfile="+INBOX"
set imap_user=alice
set imap_pass=%[2]s
set ssl_starttls=no
set ssl_force_tls=yes
set certificate_file=%[3]s
set ssl_usesystemcerts=no
set ssl_verify_host=no
set record="+Sent"
set copy=yes
set confirmcreate=no
set confirmappend=no
set quit=yes
set delete=yes
set sendmail=/bin/true
set from=alice@example.com
set header_cache=""
set mail_check=1
set auto_tag=yes
set wait_key=no
unset move
`

// mutt in batch: a mail sent leaves its copy in Sent; the status of -Z says
// whether there is new mail; keys from a macro copy, flag and delete.
func TestMutt(t *testing.T) {
	path := program(t, "mutt")
	script := program(t, "script")
	s := start(t, cyrustest.Options{}, "alice")
	rc := filepath.Join(t.TempDir(), "rc")
	writeFile(t, rc, fmt.Sprintf(muttConf, port(t, s.IMAPS), cyrustest.Password, s.CAFile))
	c := s.Login("alice")
	for _, name := range []string{"Sent", "Copies"} {
		if err := c.Create(name, nil).Wait(); err != nil {
			t.Fatal(err)
		}
	}

	send := newClient(t, path, "-n", "-F", rc, "-s", "sent by mutt", "bob@example.com")
	send.Stdin = strings.NewReader("Text.\n")
	send.must(t)
	wantSubjects(t, s, "alice", "Sent", "sent by mutt")

	for _, subject := range []string{"one", "two", "three"} {
		s.Deliver(cyrustest.Message(subject), "alice")
	}
	keys := `push '<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>+Copies<enter><untag-pattern>~A<enter>` +
		`<delete-pattern>~s two<enter><tag-pattern>~s three<enter><tag-prefix><flag-message><sync-mailbox><quit>'`
	full := newClient(t, script, "-qec", fmt.Sprintf("%s -n -F %s -f imaps://localhost:%s/INBOX -e \"%s\"", path, rc, port(t, s.IMAPS), keys), "/dev/null")
	full.Env = append(full.Env, "TERM=vt100", "COLUMNS=80", "LINES=24", "SHELL=/bin/sh")
	full.must(t)
	wantSubjects(t, s, "alice", "Copies", "one", "two", "three")
	wantSubjects(t, s, "alice", "INBOX", "one", "three")
	for _, m := range messages(t, s, "alice", "INBOX") {
		if flagged := strings.Contains(fmt.Sprint(m.Flags), `\Flagged`); flagged != (m.Envelope.Subject == "three") {
			t.Errorf("%s: flags %v", m.Envelope.Subject, m.Flags)
		}
	}
}
