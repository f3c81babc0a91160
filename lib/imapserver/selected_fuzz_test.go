package imapserver

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// fuzzState brings a connection into one of the states in which commands are
// tried.
var fuzzStates = []string{
	"l LOGIN alice x\r\n",
	"l LOGIN alice x\r\ns SELECT INBOX\r\n",
	"l LOGIN alice x\r\ns EXAMINE INBOX\r\n",
	"l LOGIN alice x\r\nq ENABLE QRESYNC\r\ns SELECT INBOX\r\nz SEARCH RETURN (SAVE) ALL\r\n",
}

const fuzzMail = "Subject: =?utf-8?q?x?=\r\nX-Y: z\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\n\r\nplain\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n--b--\r\n"

// FuzzSelected sends a command line in each state, with mail selected: whatever
// it is, the server answers the NOOP behind it or takes leave, and does not
// panic.
func FuzzSelected(f *testing.F) {
	for _, s := range []string{
		"FETCH 1:* (FLAGS BODY[1.2.HEADER.FIELDS (A B)]<1.2> BINARY.SIZE[1] ENVELOPE)", "UID FETCH 1,2:* (UID) (CHANGEDSINCE 1 VANISHED)",
		"STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen x)", "UID STORE $ FLAGS ()", "SEARCH OR NOT (1:* BODY x) HEADER a b",
		"UID SEARCH RETURN (SAVE MIN) CHARSET UTF-8 TEXT {1+}\r\nx", "COPY 1:* INBOX", "MOVE 1 INBOX", "APPEND INBOX (\\Seen) {3+}\r\na:b",
		"APPEND INBOX ~{5+}\r\na:\r\n\x00 {2+}\r\n\r\n", "EXPUNGE", "UID EXPUNGE 1:*", "SELECT INBOX (QRESYNC (1 1 1:* (1 1)))", "CLOSE", "REPLACE 1 INBOX {2+}\r\n\r\n",
		"FETCH 4294967295:0 ALL", "UID FETCH * (BODY[]<0.4294967295>)", "SEARCH 1:4294967295 NOT UID 4294967295",
	} {
		f.Add(s)
	}
	srv := testServer(f, "")
	dial := dialer(f, srv)
	c := login(f, dial, "alice")
	for range 3 {
		fmt.Fprintf(c, "t APPEND INBOX {%d+}\r\n%s\r\n", len(fuzzMail), fuzzMail)
		if s := c.line(); !strings.HasPrefix(s, "t OK") {
			f.Fatal(s)
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 2000 || strings.Contains(strings.ToUpper(line), "IDLE") {
			return // IDLE waits, and others' tests are of it
		}
		for _, state := range fuzzStates {
			fuzzOne(t, dial(), state+"f "+line+"\r\n")
		}
	})
}

// fuzzOne sends input and reads until the server has gone, which it does at the
// latest when this end stops writing.
func fuzzOne(t *testing.T, c net.Conn, input string) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		fmt.Fprint(c, input, "\r\nn NOOP\r\nx LOGOUT\r\n")
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
	}()
	var out bytes.Buffer
	if _, err := out.ReadFrom(c); err != nil {
		t.Fatalf("%q: %v after %q", input, err, out.Bytes())
	}
	if !bytes.Contains(out.Bytes(), []byte("OK")) {
		t.Fatalf("%q: no greeting in %q", input, out.Bytes())
	}
}
