package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// fetchmail empties a mailbox by every protocol that it has for it.
func TestFetchmail(t *testing.T) {
	path := program(t, "fetchmail")
	s := start(t, cyrustest.Options{}, "alice")
	for _, tc := range []struct{ name, proto, addr, more string }{
		{"IMAP", "IMAP", s.IMAP, `sslproto ""`},
		{"IMAP with STARTTLS", "IMAP", s.IMAP, `sslproto "auto" sslcertck`},
		{"IMAPS", "IMAP", s.IMAPS, "ssl sslcertck"},
		{"POP3", "POP3", s.POP3, `sslproto ""`},
		{"POP3 with STLS", "POP3", s.POP3, `sslproto "auto" sslcertck`},
		{"POP3S", "POP3", s.POP3S, "ssl sslcertck"},
		{"APOP", "APOP", s.POP3, `sslproto ""`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var want []string
			for i := range 5 {
				subject := fmt.Sprintf("%s %d", tc.name, i)
				want = append(want, subject)
				s.Deliver(cyrustest.Message(subject), "alice")
			}
			dir := t.TempDir()
			rc := filepath.Join(dir, "rc")
			writeFile(t, rc, fmt.Sprintf("poll localhost protocol %s service %s user alice password %q %s sslcertfile %q no rewrite fetchall mda \"cat >>%s/mail; echo >>%[6]s/mail\"\n",
				tc.proto, port(t, tc.addr), cyrustest.Password, tc.more, s.CAFile, dir))
			c := newClient(t, path, "-f", rc, "--nosyslog", "--pidfile", filepath.Join(dir, "pid"), "--nodetach")
			c.Env = append(c.Env, "FETCHMAILHOME="+dir)
			c.must(t)
			text, err := os.ReadFile(filepath.Join(dir, "mail"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(text)) {
				if subject, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "Subject: "); ok {
					got = append(got, subject)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			wantSubjects(t, s, "alice", "INBOX")
		})
	}
}
