package interop

import (
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// The programs that log in by hand, Cyrus's and ours, with each mechanism.
func TestTestTools(t *testing.T) {
	s := start(t, cyrustest.Options{}, "alice")
	s.Deliver(cyrustest.Message("first"), "alice")
	for _, proto := range []struct {
		tool, addr, tlsAddr string
		script, want        string
		mechs               []string
	}{
		{"imtest", s.IMAP, s.IMAPS, "a STATUS INBOX (MESSAGES)\r\nb LOGOUT\r\n", "* STATUS INBOX (MESSAGES 1)",
			[]string{"login", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}},
		{"pop3test", s.POP3, s.POP3S, "STAT\r\nQUIT\r\n", "+OK 1 ",
			[]string{"user", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}},
		{"lmtptest", s.LMTP, "", "MAIL FROM:<a@example.com>\r\nRCPT TO:<alice>\r\nQUIT\r\n", "250 2.1.5 ok",
			[]string{""}},
	} {
		for _, kind := range []string{"ours", "Debian's"} {
			for _, mech := range proto.mechs {
				for _, way := range []string{"plain", "STARTTLS", "TLS"} {
					if way != "plain" && (mech == "CRAM-MD5" || mech == "LOGIN" || mech == "") {
						continue
					}
					t.Run(strings.Join([]string{proto.tool, kind, mech, way}, "/"), func(t *testing.T) {
						path := s.Tool(proto.tool)
						if kind != "ours" {
							path = program(t, proto.tool)
						}
						addr := proto.addr
						args := []string{"-a", "alice", "-u", "alice", "-w", cyrustest.Password}
						if mech != "" {
							args = append(args, "-m", mech)
						}
						switch way {
						case "STARTTLS":
							args = append(args, "-t", "")
						case "TLS":
							args, addr = append(args, "-s"), proto.tlsAddr
						}
						c := newClient(t, path, append(args, "-p", port(t, addr), "127.0.0.1")...)
						c.Stdin = strings.NewReader(proto.script)
						out := c.must(t)
						if !slices.ContainsFunc(strings.Split(out, "\n"), func(l string) bool { return strings.HasPrefix(l, proto.want) }) {
							t.Errorf("%q is not in\n%s%s", proto.want, out, &c.complaints)
						}
					})
				}
			}
		}
	}
}
