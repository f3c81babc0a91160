package imtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/backend"
	"gocyrus/lib/servertest"
)

// serve answers each line of a client with what replies says of it, after the
// greeting, until the client leaves.
func serve(t *testing.T, greeting string, replies map[string]string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(servertest.Listen(t, "tcp", func(c net.Conn) {
		c.Write([]byte(greeting))
		for r := bufio.NewScanner(c); r.Scan(); {
			reply := replies[strings.TrimRight(r.Text(), "\r")]
			c.Write([]byte(reply))
			if strings.Contains(reply, "BYE") {
				return
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

const greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] mail.example.com ready\r\n"

var replies = map[string]string{
	"A01 AUTHENTICATE PLAIN AGFsaWNlAHB3YWxpY2U=": "A01 OK Success (no protection)\r\n",
	"A01 AUTHENTICATE PLAIN AGFsaWNlAGJhZA==":     "A01 NO authentication failure\r\n",
	"a NOOP":     "a OK Completed\r\n",
	"Q01 LOGOUT": "* BYE LOGOUT received\r\nQ01 OK Completed\r\n",
}

// TestOutput compares with what imtest of Cyrus 3.6.1 printed.
func TestOutput(t *testing.T) {
	host, port := serve(t, greeting, replies)
	show := strings.TrimSuffix(greeting, "\r\n")
	for _, tc := range []struct {
		name, password, mech, in string
		want                     []string // pieces in any order: both directions are shown as they come
	}{
		{"good", "pwalice", "PLAIN", "a NOOP\n", []string{"S: " + show + "\r\n" +
			"C: A01 AUTHENTICATE PLAIN AGFsaWNlAHB3YWxpY2U=\r\nS: A01 OK Success (no protection)\r\n" +
			"Authenticated.\nSecurity strength factor: 0\n" +
			"", "a OK Completed\r\n", "C: Q01 LOGOUT\r\n", "* BYE LOGOUT received\r\nQ01 OK Completed\r\nConnection closed.\n"}},
		{"bad", "bad", "plain", "", []string{"S: " + show + "\r\n" +
			"C: A01 AUTHENTICATE PLAIN AGFsaWNlAGJhZA==\r\nS: A01 NO authentication failure\r\n" +
			"Authentication failed. generic failure\nSecurity strength factor: 0\n" +
			"C: Q01 LOGOUT\r\n* BYE LOGOUT received\r\nQ01 OK Completed\r\nConnection closed.\n"}},
		{"not offered", "bad", "BOGUS", "", []string{"S: " + show + "\r\n" +
			"[Server did not advertise AUTH=BOGUS]\n" +
			"Authentication failed. generic failure\nSecurity strength factor: 0\n" +
			"C: Q01 LOGOUT\r\n* BYE LOGOUT received\r\nQ01 OK Completed\r\nConnection closed.\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out safeBuffer
			err := Run(context.Background(), Options{Proto: backend.IMAP, Host: host, Port: port, AuthName: "alice", Mech: tc.mech,
				Password: func() (string, error) { return tc.password, nil }, In: strings.NewReader(tc.in), Out: &out, Err: &out})
			if err != nil {
				t.Fatal(err)
			}
			got := out.String()
			total := 0
			for _, p := range tc.want {
				total += len(p)
				if !strings.Contains(got, p) {
					t.Errorf("no %q in %q", p, got)
				}
			}
			if len(got) != total {
				t.Errorf("%d octets, want %d: %q", len(got), total, got)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	var out, errs bytes.Buffer
	err := Run(context.Background(), Options{Proto: backend.IMAP, Host: "127.0.0.1", Port: "1", Out: &out, Err: &errs})
	var f *Failure
	if !errors.As(err, &f) || errs.String() != "connect: Connection refused\n" || err.Error() != "Network initialization - cannot connect to 127.0.0.1:1" {
		t.Errorf("%v, %q", err, errs.String())
	}
}

// TestAttempts checks that -n logs in as often.
func TestAttempts(t *testing.T) {
	host, port := serve(t, greeting, replies)
	var out safeBuffer
	err := Run(context.Background(), Options{Proto: backend.IMAP, Host: host, Port: port, AuthName: "alice", Mech: "PLAIN", Attempts: 3, NoIR: false,
		Password: func() (string, error) { return "pwalice", nil }, In: strings.NewReader(""), Out: &out, Err: &out})
	if n := strings.Count(out.String(), "Authenticated.\n"); err != nil || n != 3 || strings.Count(out.String(), "Connection closed.\n") != 3 {
		t.Errorf("%d log-ins, %v:\n%s", n, err, out.String())
	}
}
