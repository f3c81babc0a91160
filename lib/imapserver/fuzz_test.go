package imapserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// FuzzCommand sends one line in each state of a connection: not signed in,
// signed in, selected, selected with mail. The server may answer what it likes
// but must not fall, and what follows must be answered unless it said BYE.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"NOOP", "LOGIN a {1+}\r\nb", "LIST (SUBSCRIBED) \"\" (% *) RETURN (STATUS (MESSAGES))", "FETCH 1:* (FLAGS BODY.PEEK[])",
		"UID FETCH 1 FLAGS", "SEARCH RETURN (SAVE) OR ALL NOT $", "STORE 1 +FLAGS (\\Deleted x)", "ENABLE QRESYNC", "ID (\"a\" NIL)",
		"SETACL INBOX bob +l", "SELECT INBOX (QRESYNC (1 1))", "COPY 1 Work", "APPEND INBOX {3+}\r\na: ", "IDLE\r\nDONE",
		"CREATE x (USE (\\Sent))", "RENAME INBOX y", "SETQUOTA INBOX (STORAGE 1)", "AUTHENTICATE PLAIN AA==", "COMPRESS DEFLATE",
		"GETMETADATA (DEPTH 1) INBOX /shared", "SETMETADATA INBOX (/private/comment {1+}\r\nx)", "LOGOUT", "\x00\xff", "{9999999+}",
	} {
		f.Add(s)
	}
	dial := dialer(f, testServer(f, "maxliteral: 1000\nmaxmessagesize: 5000\n"))
	preludes := []string{
		"",
		"p LOGIN alice x\r\n",
		"p LOGIN alice x\r\np SELECT INBOX\r\n",
		"p LOGIN bob x\r\np APPEND INBOX {13+}\r\nSubject: a\r\n\r\n\r\np SELECT INBOX\r\n",
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 2000 || strings.Contains(strings.ToUpper(line), "COMPRESS") {
			return // what follows COMPRESS would have to be compressed
		}
		for i, prelude := range preludes {
			c := dial()
			c.SetDeadline(time.Now().Add(30 * time.Second))
			fmt.Fprintf(c, "%sa %s\r\n", prelude, line)
			c.(*net.TCPConn).CloseWrite()
			out, err := io.ReadAll(bufio.NewReader(c))
			c.Close()
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("state %d: %v", i, err)
			}
			if s := string(out); !strings.HasPrefix(s, "* OK ") || strings.Contains(s, "System I/O error") {
				t.Errorf("state %d: %q: %q", i, line, s)
			}
		}
	})
}
