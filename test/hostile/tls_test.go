package hostile_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/servertest"
	"gocyrus/test/internal/rig"
)

// tlsOptions are lines of imapd.conf with a certificate.
func tlsOptions(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(servertest.WithTLS(t, "localhost")), "\n")
}

// hello is what a TLS client sends first.
func hello(t *testing.T) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	return string(head) + string(body)
}

// starts are the protocols that turn TLS on in the middle; the rig's lmtpd trusts its
// peers, and has none.
func starts(s *rig.Site) map[string]struct{ addr, cmd, ok string } {
	return map[string]struct{ addr, cmd, ok string }{
		"IMAP": {s.IMAP, "a STARTTLS\r\n", "a OK"},
		"POP3": {s.POP3, "STLS\r\n", "+OK"},
	}
}

// handshake opens a connection on which the server waits for a ClientHello.
func handshake(t *testing.T, at struct{ addr, cmd, ok string }) *rig.Conn {
	t.Helper()
	c := connect(t, at.addr)
	c.Send(at.cmd)
	if line, err := c.Line(); err != nil || !strings.HasPrefix(line, at.ok) {
		t.Fatalf("%q: %q, %v", at.cmd, line, err)
	}
	return c
}

// TestTLSGarbage sends in place of a handshake what is none: the connection ends, and
// nothing of it is taken for a command.
func TestTLSGarbage(t *testing.T) {
	s := start(t, tlsOptions(t)...)
	w := watch(t, s)
	first := hello(t)
	for proto, at := range starts(s) {
		for _, c := range []struct{ name, send string }{
			{"a command", "a LOGIN alice secret\r\na LOGOUT\r\nQUIT\r\n"},
			{"zeros", strings.Repeat("\x00", 1<<16)},
			{"noise", strings.Repeat("\xde\xad\xbe\xef", 1<<14)},
			{"huge record", "\x16\x03\x01\xff\xff" + strings.Repeat("\x01", 1<<17)},
			{"huge handshake", "\x16\x03\x01\x40\x00\x01\xff\xff\xff" + strings.Repeat("\x00", 1<<14)},
			{"old version", "\x16\x03\x00\x00\x05\x01\x00\x00\x01\x00"},
			{"SSL 2", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + strings.Repeat("\x07", 64)},
			{"alert", "\x15\x03\x03\x00\x02\x02\x28"},
			{"data at once", "\x17\x03\x03\x00\x05hello"},
			{"hello, then noise", first + strings.Repeat("\xff", 1<<16)},
			{"hello twice", first + first},
			{"hello, damaged", first[:9] + strings.Repeat("\xff", len(first)-9)},
		} {
			t.Run(proto+" "+c.name, func(t *testing.T) {
				conn := handshake(t, at)
				go conn.Send(c.send)
				conn.SetReadDeadline(time.Now().Add(rig.Patience))
				said, err := io.ReadAll(conn.R)
				if err != nil && !ended(err) {
					t.Errorf("not ended: %q, %v", said, err)
				}
				if plain := afterRecords(said); len(plain) > 0 {
					t.Errorf("an answer: %q", plain)
				}
			})
		}
	}
	w.end()
}

// afterRecords is what follows the records of TLS that a server has sent, which may have any
// octets in them (RFC 8446 section 5.1).
func afterRecords(said []byte) []byte {
	const header, first, last = 5, 20, 23 // change_cipher_spec to application_data
	for len(said) >= header && said[0] >= first && said[0] <= last && said[1] == 3 {
		said = said[min(header+int(said[3])<<8+int(said[4]), len(said)):]
	}
	return said
}

// long is the variable with which TestTLSSlow waits until the server gives up.
const long = "GOCYRUS_HOSTILE_LONG"

// TestTLSSlow: clients that spell out a command that would begin TLS, and a
// ClientHello, octet by octet, and never come to the end. Others go on.
func TestTLSSlow(t *testing.T) {
	s := start(t, tlsOptions(t)...)
	w := watch(t, s)
	first := hello(t)
	var inside []*rig.Conn
	for range 50 {
		for _, at := range starts(s) {
			before := connect(t, at.addr)
			for i := range len(at.cmd) - 1 {
				before.Send(at.cmd[i : i+1])
			}
			c := handshake(t, at)
			for i := range 40 {
				c.Send(first[i : i+1])
			}
			inside = append(inside, c)
		}
	}
	w.end()
	if os.Getenv(long) == "" {
		t.Logf("set %s to wait until they are cut off", long)
		return
	}
	// An octet a second goes on for longer than a handshake may take.
	for i := range 200 {
		for _, c := range inside {
			c.Send(first[40+i : 41+i]) // fails once it is cut off
		}
		time.Sleep(time.Second)
	}
	for _, c := range inside {
		c.SetReadDeadline(time.Now().Add(rig.Patience))
		if _, err := io.ReadAll(c.R); err != nil && !ended(err) {
			t.Errorf("a handshake that does not end: %v", err)
		}
	}
}
