package hostile_test

import (
	"fmt"
	"strings"
	"testing"

	"gocyrus/test/internal/rig"
)

// lmtp connects to lmtpd.
func lmtp(t *testing.T, s *rig.Site) *rig.LMTP {
	t.Helper()
	c, err := rig.DialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t *testing.T, c *rig.LMTP, send, code string) string {
	t.Helper()
	if err := c.Send(send); err != nil {
		t.Fatal(err)
	}
	line, err := c.Expect(code)
	if err != nil {
		t.Fatalf("after %.60q: %v", send, err)
	}
	return line
}

// TestSmuggling: only CRLF.CRLF ends a message. What looks like the end to a
// server that is lenient with line ends is part of it, and so are the commands
// behind it (SMTP smuggling, CVE-2023-51764).
func TestSmuggling(t *testing.T) {
	s := start(t)
	reader := login(t, s, "alice")
	for i, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\x00.\r\n", "\r\r\n.\r\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			c := lmtp(t, s)
			must(t, c, "MAIL FROM:<a@example.org>\r\n", "250")
			must(t, c, "RCPT TO:<alice>\r\n", "250")
			must(t, c, "DATA\r\n", "354")
			line := must(t, c, fmt.Sprintf("Subject: outer\r\nMessage-ID: <outer-%d@x>\r\n\r\nbody", i)+end+
				fmt.Sprintf("MAIL FROM:<evil@example.org>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: inner\r\nMessage-ID: <inner-%d@x>\r\n\r\nsmuggled\r\n.\r\n", i), "")
			t.Log(line)
			if line := must(t, c, "NOOP\r\n", "250"); strings.Contains(line, "Sender") {
				t.Errorf("a command of the body was obeyed: %s", line)
			}
			ok(t, reader, "EXAMINE INBOX")
			r := ok(t, reader, fmt.Sprintf("SEARCH HEADER Message-ID inner-%d", i))
			if got := r.Untagged[0].Text; got != "SEARCH" {
				t.Errorf("the inner message was delivered: %s", got)
			}
			ok(t, reader, "UNSELECT")
		})
	}
}

// TestDots: what the sender doubled comes back single, and nothing else changes.
func TestDots(t *testing.T) {
	s := start(t)
	c, reader := lmtp(t, s), login(t, s, "alice")
	for i, body := range []string{".\r\n", "..\r\n", ".a\r\n", "a\r\n.\r\nb\r\n", "a\r\n..\r\n", ".", "a.\r\n.b.\r\n", "\r\n\r\n.\r\n"} {
		if !strings.HasSuffix(body, "\r\n") {
			body += "\r\n"
		}
		msg := fmt.Sprintf("Message-ID: <dots-%d@x>\r\n\r\n%s", i, body)
		if err := c.Deliver(msg, []string{"alice"}, func(_, reply string) {
			if !strings.HasPrefix(reply, "250") {
				t.Errorf("%q: %s", body, reply)
			}
		}); err != nil {
			t.Fatal(err)
		}
		ok(t, reader, "EXAMINE INBOX")
		r := ok(t, reader, "FETCH * BODY.PEEK[TEXT]")
		if got := string(r.Untagged[0].Literals[0]); got != body {
			t.Errorf("sent %q, read %q", body, got)
		}
		ok(t, reader, "UNSELECT")
	}
}

// TestManyRecipients: a hundred thousand of them, most of whom do not exist.
func TestManyRecipients(t *testing.T) {
	s := start(t)
	w := watch(t, s)
	c := lmtp(t, s)
	must(t, c, "MAIL FROM:<a@example.org>\r\n", "250")
	const n = 100_000
	go func() {
		var b strings.Builder
		for i := range n {
			if b.Reset(); i%1000 == 0 {
				b.WriteString("RCPT TO:<alice>\r\n")
			} else {
				fmt.Fprintf(&b, "RCPT TO:<nobody%d@example.org>\r\n", i)
			}
			if c.Send(b.String()) != nil {
				return
			}
		}
	}()
	codes := map[string]int{}
	for i := range n {
		line, err := c.Reply()
		if err != nil {
			t.Fatalf("after %d replies: %v", i, err)
		}
		codes[line[:min(3, len(line))]]++
	}
	t.Log(codes)
	w.end()
}

// TestLMTPInput sends what no mail server would. After each the session goes on,
// or ends with a 421.
func TestLMTPInput(t *testing.T) {
	s := start(t)
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ name, send, want string }{
		{"garbage", "\x80\xff\x00\x01\r\n", "5"},
		{"no such command", "FROBNICATE\r\n", "500"},
		{"long line", "NOOP " + long + "\r\n", "5"},
		{"endless address", "MAIL FROM:<" + long + ">\r\n", "5"},
		{"broken address", "MAIL FROM:<<<@,;:>\r\n", "5"},
		{"RCPT first", "RCPT TO:<alice>\r\n", "503"},
		{"DATA first", "DATA\r\n", "503"},
		{"bare line feed", "NOOP\n", "2"},
		{"SIZE of more than 64 bits", "MAIL FROM:<a@b> SIZE=99999999999999999999999\r\n", "5"},
		{"SASL junk", "AUTH PLAIN !!!!\r\n", "5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := lmtp(t, s)
			go conn.Send(c.send)
			line, err := conn.Reply()
			if err != nil || !strings.HasPrefix(line, c.want) && !strings.HasPrefix(line, "421") {
				t.Fatalf("reply %.100q, %v, want %s", line, err, c.want)
			}
			t.Logf("%.90s", line)
			if !strings.HasPrefix(line, "421") {
				must(t, conn, "NOOP\r\n", "")
			}
		})
	}
}
