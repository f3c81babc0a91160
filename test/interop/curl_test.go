package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// curl is a call of curl as alice.
func curl(t *testing.T, s *cyrustest.Server, args ...string) string {
	t.Helper()
	args = append([]string{"-sS", "--max-time", "60", "--cacert", s.CAFile, "-u", "alice:" + cyrustest.Password}, args...)
	return newClient(t, program(t, "curl"), args...).must(t)
}

func TestCurlIMAP(t *testing.T) {
	program(t, "curl")
	s := start(t, cyrustest.Options{}, "alice")
	s.Deliver(cyrustest.Message("first"), "alice")
	upload := filepath.Join(t.TempDir(), "m")
	if err := os.WriteFile(upload, cyrustest.Message("uploaded"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, url string
		args      []string
	}{
		{"plain", "imap://" + s.IMAP, nil},
		{"STARTTLS", "imap://localhost:" + port(t, s.IMAP), []string{"--ssl-reqd"}},
		{"TLS", "imaps://localhost:" + port(t, s.IMAPS), nil},
		{"AUTH PLAIN", "imap://" + s.IMAP, []string{"--login-options", "AUTH=PLAIN"}},
		{"AUTH PLAIN, SASL-IR", "imap://" + s.IMAP, []string{"--login-options", "AUTH=PLAIN", "--sasl-ir"}},
		{"AUTH LOGIN", "imap://" + s.IMAP, []string{"--login-options", "AUTH=LOGIN"}},
		{"AUTH CRAM-MD5", "imap://" + s.IMAP, []string{"--login-options", "AUTH=CRAM-MD5"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := func(path string, more ...string) string {
				return curl(t, s, append(append(tc.args, more...), tc.url+path)...)
			}
			if got := ask("/"); !strings.Contains(got, `* LIST (\HasNoChildren) "/" INBOX`) {
				t.Errorf("LIST: %q", got)
			}
			if got := ask("/INBOX;UID=1"); !strings.HasSuffix(got, string(cyrustest.Message("first"))) {
				t.Errorf("the message: %q", got)
			}
			if got := ask("/INBOX;UID=1;SECTION=TEXT"); got != "Text of first.\r\n" {
				t.Errorf("its text: %q", got)
			}
			if got := ask("/INBOX?SUBJECT%20first"); got != "* SEARCH 1\r\n" {
				t.Errorf("SEARCH: %q", got)
			}
			if got := ask("/INBOX", "-X", "FETCH 1 (UID RFC822.SIZE)"); !strings.HasPrefix(got, "* 1 FETCH (UID 1 RFC822.SIZE ") {
				t.Errorf("FETCH: %q", got)
			}
		})
	}
	curl(t, s, "-T", upload, "imap://"+s.IMAP+"/INBOX")
	wantSubjects(t, s, "alice", "INBOX", "first", "uploaded")
	curl(t, s, "imap://"+s.IMAP, "-X", "CREATE Archive")
	curl(t, s, "imap://"+s.IMAP+"/INBOX", "-X", "COPY 1:2 Archive")
	wantSubjects(t, s, "alice", "Archive", "first", "uploaded")
}

// A wrong password is curl's status 67, "login denied".
func TestCurlDenied(t *testing.T) {
	path := program(t, "curl")
	s := start(t, cyrustest.Options{}, "alice")
	for _, url := range []string{"imap://" + s.IMAP, "pop3://" + s.POP3} {
		if status := newClient(t, path, "-sS", "--max-time", "60", "-u", "alice:wrong", url).status(t); status != 67 {
			t.Errorf("%s: status %d", url, status)
		}
	}
}

func TestCurlPOP3(t *testing.T) {
	program(t, "curl")
	s := start(t, cyrustest.Options{}, "alice")
	s.Deliver(cyrustest.Message("first"), "alice")
	s.Deliver(cyrustest.Message("second"), "alice")
	for _, tc := range []struct {
		name, url string
		args      []string
	}{
		{"plain", "pop3://" + s.POP3, nil},
		{"STLS", "pop3://localhost:" + port(t, s.POP3), []string{"--ssl-reqd"}},
		{"TLS", "pop3s://localhost:" + port(t, s.POP3S), nil},
		{"AUTH PLAIN", "pop3://" + s.POP3, []string{"--login-options", "AUTH=PLAIN", "--sasl-ir"}},
		{"APOP", "pop3://" + s.POP3, []string{"--login-options", "AUTH=+APOP"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ask := func(path string, more ...string) string {
				return curl(t, s, append(append(tc.args, more...), tc.url+path)...)
			}
			if got := strings.Fields(ask("/")); len(got) != 4 || got[0] != "1" || got[2] != "2" {
				t.Errorf("LIST: %q", got)
			}
			if got := ask("/1"); !strings.HasSuffix(got, string(cyrustest.Message("first"))) {
				t.Errorf("the message: %q", got)
			}
			if got := ask("/", "-X", "UIDL"); len(strings.Fields(got)) != 4 {
				t.Errorf("UIDL: %q", got)
			}
			if got := ask("/", "-X", "TOP 1 0"); !strings.Contains(got, "Subject: first\r\n") || strings.Contains(got, "Text of") {
				t.Errorf("TOP: %q", got)
			}
		})
	}
	curl(t, s, "-I", "-X", "DELE 1", "pop3://"+s.POP3+"/")
	wantSubjects(t, s, "alice", "INBOX", "second")
}
