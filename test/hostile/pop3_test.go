package hostile_test

import (
	"strings"
	"testing"
)

// TestPOP3Input sends what no client would: an -ERR and on, or the end.
func TestPOP3Input(t *testing.T) {
	s := start(t)
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ name, send string }{
		{"garbage", "\x80\xff\x00\x01\r\n"}, {"nothing", "\r\n"}, {"no such command", "FROBNICATE\r\n"},
		{"early", "RETR 1\r\n"}, {"long line", long + "\r\n"}, {"endless user", "USER " + long + "\r\n"},
		{"SASL junk", "AUTH PLAIN !!!!\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := connect(t, s.POP3)
			go conn.Send(c.send)
			line, err := conn.Line()
			if !strings.HasPrefix(line, "-ERR") && !ended(err) {
				t.Fatalf("reply %.100q, %v", line, err)
			}
			t.Logf("%.90s %v", line, err)
		})
	}
}

// TestPOP3Flood pipelines, and asks for messages that it does not read.
func TestPOP3Flood(t *testing.T) {
	s := start(t)
	c := login(t, s, "alice")
	text := "Subject: big\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 50_000)
	for range 20 {
		ok(t, c, "APPEND INBOX"+literal(text))
	}
	w := watch(t, s)
	conn := connect(t, s.POP3)
	conn.Send("USER alice\r\nPASS x\r\n")
	for range 2 {
		if line, err := conn.Line(); err != nil || !strings.HasPrefix(line, "+OK") {
			t.Fatalf("%s %v", line, err)
		}
	}
	const n = 20_000
	go conn.Send(strings.Repeat("NOOP\r\n", n))
	for i := range n {
		if line, err := conn.Line(); err != nil || !strings.HasPrefix(line, "+OK") {
			t.Fatalf("answer %d: %s %v", i, line, err)
		}
	}
	conn.Send(strings.Repeat("RETR 1\r\nRETR 2\r\nRETR 3\r\n", 100))
	if _, err := conn.R.Peek(1); err != nil {
		t.Fatal(err)
	}
	ok(t, c, "SELECT INBOX")
	for range 20 {
		ok(t, c, `STORE 1:* +FLAGS.SILENT (\Seen)`)
	}
	w.end()
}
