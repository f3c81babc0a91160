// Package mupdatetest is a MUPDATE master's side of a session, for tests that say what it
// answers.
package mupdatetest

import (
	"bufio"
	"io"
	"net"

	"gocyrus/lib/mupdate"
)

// Greeting is what a master of Cyrus 3.6.1 says first.
const Greeting = "* AUTH \"PLAIN\"\r\n* PARTIAL-UPDATE\r\n* OK MUPDATE \"mup.example.org\" \"Cyrus IMAP\" \"3.6.1\" \"(master)\"\r\n"

// limits are more than any test needs.
var limits = mupdate.Limits{Word: 1024, Quoted: 1 << 16, Literal: 1 << 20}

// Serve greets and answers each command with do, until the client leaves or do is not ok.
// The caller closes c.
func Serve(c net.Conn, do func(tag, name string, args []string) (answer string, ok bool)) {
	if _, err := io.WriteString(c, Greeting); err != nil {
		return
	}
	r := mupdate.NewReader(bufio.NewReader(c), limits, nil)
	for {
		tag, name, err := r.Head()
		if err != nil {
			return
		}
		args, err := r.Args(0, 3)
		if err != nil {
			return
		}
		answer, ok := do(tag, name, args)
		if !ok {
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}
