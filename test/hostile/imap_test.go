package hostile_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIMAPInput sends what no client would. want is the reply; one with BYE ends
// the session, after any other the session goes on.
func TestIMAPInput(t *testing.T) {
	s := start(t)
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ name, send, want string }{
		{"garbage", "\x80\xff\x01\x02 \x03\r\n", "* BAD Invalid tag"},
		{"nothing", "\r\n", "* BAD "},
		{"NUL", "a\x00b NOOP\r\n", "* BAD Invalid tag"},
		{"tag alone", "a\r\n", "* BAD Invalid tag"},
		{"no such command", "a FROBNICATE\r\n", "a BAD "},
		{"endless word", long, "* BYE [TOOBIG] Word too long"},
		{"endless tag", long + " NOOP\r\n", "* BYE [TOOBIG] Word too long"},
		{"endless quoted string", `a LOGIN "` + long, "* BYE [TOOBIG] Quoted value too long"},
		{"huge literal", "a LOGIN {4000000000}\r\n", "a NO [TOOBIG] "},
		{"huge literal at once", "a LOGIN {4000000000+}\r\n", "* BYE [TOOBIG] "},
		{"literal of more than 64 bits", "a LOGIN {99999999999999999999999+}\r\n", "* BYE "},
		{"negative literal", "a LOGIN {-1}\r\n", "a BAD "},
		{"SASL junk", "a AUTHENTICATE PLAIN !!!!\r\n", "a "},
		{"SASL nothing", "a AUTHENTICATE PLAIN =\r\n", "a NO "},
		{"SASL unknown", "a AUTHENTICATE XYZZY\r\n", "a NO "},
		{"HTTP", "GET / HTTP/1.1\r\n", "GET BAD "},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := connect(t, s.IMAP)
			go conn.Send(c.send) // the server may stop reading in the middle
			line, err := conn.Line()
			if err != nil || !strings.HasPrefix(line, c.want) {
				t.Fatalf("reply %.100q, %v, want %q", line, err, c.want)
			}
			if strings.HasPrefix(line, "* BYE") {
				if line, err := conn.Line(); !ended(err) {
					t.Errorf("after BYE: %.100q, %v", line, err)
				}
				return
			}
			conn.Send("b NOOP\r\n")
			for !strings.HasPrefix(line, "b ") {
				if line, err = conn.Line(); err != nil {
					t.Fatalf("the session does not go on: %v", err)
				}
			}
		})
	}
	ok(t, login(t, s, "alice"), "SELECT INBOX")
}

// ended says whether the other side has closed the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// TestHalfLiterals: clients that announce a message and stop in the middle.
func TestHalfLiterals(t *testing.T) {
	s := start(t)
	w := watch(t, s)
	for range 100 {
		c := login(t, s, "alice")
		c.Send("a APPEND INBOX {100000000+}\r\nSubject: never\r\n\r\n" + strings.Repeat("x", 5000))
	}
	w.end()
}

// TestFlood sends a hundred thousand commands without waiting for an answer.
func TestFlood(t *testing.T) {
	s := start(t)
	w := watch(t, s)
	const n = 100_000
	c := login(t, s, "alice")
	go c.Send(strings.Repeat("f NOOP\r\n", n))
	for i := range n {
		for {
			line, err := c.Line()
			if err != nil {
				t.Fatalf("after %d answers: %v", i, err)
			}
			if strings.HasPrefix(line, "f OK") {
				break
			}
		}
	}
	// And one who reads none of them: the server stops reading, too.
	deaf := login(t, s, "alice")
	deaf.SetWriteDeadline(time.Now().Add(2 * time.Second))
	for range 100 {
		if _, err := io.WriteString(deaf.Conn.Conn, strings.Repeat("f NOOP\r\n", n)); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a client that does not read: %v", err)
			}
			break
		}
	}
	w.end()
}

// TestDeafReaders: clients that ask for a big mailbox and read nothing hold up
// nobody who changes it.
func TestDeafReaders(t *testing.T) {
	s := start(t)
	c := login(t, s, "alice")
	body := strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 1400)
	text := "Subject: big\r\n\r\n" + body
	ok(t, c, "SELECT INBOX")
	for range 20 {
		var cmd strings.Builder
		cmd.WriteString("APPEND INBOX")
		for range 20 {
			cmd.WriteString(literal(text))
		}
		ok(t, c, cmd.String())
	}
	for range 10 {
		deaf := login(t, s, "alice")
		ok(t, deaf, "SELECT INBOX")
		deaf.Send("a FETCH 1:* (FLAGS BODY[])\r\n")
		if _, err := deaf.R.Peek(1); err != nil { // the answer has begun
			t.Fatal(err)
		}
	}
	w := watch(t, s)
	for range 10 {
		ok(t, c, `STORE 1:* +FLAGS.SILENT (\Flagged)`)
		ok(t, c, `STORE 1 +FLAGS (\Deleted)`)
		ok(t, c, "EXPUNGE")
		ok(t, c, "UID COPY 10:20 INBOX")
		ok(t, c, "APPEND INBOX"+literal(text))
	}
	w.end()
}

// TestIdleConnections: two thousand who connect and say nothing.
func TestIdleConnections(t *testing.T) {
	var limit syscall.Rlimit
	const n = 2000
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); limit.Cur < n+200 {
		t.Skipf("this process may open %d files, %d are needed", limit.Cur, n+200)
	}
	s := start(t)
	w := watch(t, s)
	for range n {
		connect(t, s.IMAP)
	}
	w.end()
}
