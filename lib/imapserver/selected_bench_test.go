package imapserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
)

// bulk puts n messages into a mailbox, without files: for what the index and
// the cache answer.
func bulk(b *testing.B, srv *Server, name mboxname.Name, n int) {
	b.Helper()
	e, err := srv.list.Lookup(name)
	if err != nil {
		b.Fatal(err)
	}
	m, err := srv.store.Open(b.Context(), e)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	file := filepath.Join(b.TempDir(), "message")
	text := "From: Someone <someone@example.net>\r\nTo: alice@example.com\r\nSubject: of the bench\r\n" +
		"Date: Tue, 4 Mar 2025 10:01:00 +0100\r\nMessage-ID: <bench@example.net>\r\nList-Id: <bench.example.net>\r\n\r\nbody\r\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	msg, err := message.Parse([]byte(text), message.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	for done := 0; done < n; {
		err := m.Update(b.Context(), func(tx *mailbox.Tx) error {
			for range min(5000, n) {
				f := indexfile.Flags(done) & indexfile.System
				uid, _, err := tx.Append(mailbox.Append{File: file, Message: msg, Flags: f})
				if err != nil {
					return err
				}
				done++
				if err := os.Remove(filepath.Join(m.Path("data"), strconv.Itoa(int(uid))+".")); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSelected asks for what clients ask of a mailbox of 100,000 messages.
func BenchmarkSelected(b *testing.B) {
	srv := testServer(b, "")
	bulk(b, srv, "user.alice", 100_000)
	c := login(b, dialer(b, srv), "alice")
	c.do("SELECT INBOX")
	for _, tc := range []struct{ name, command string }{
		{"select", "SELECT INBOX"},
		{"flags", "FETCH 1:* (FLAGS)"},
		{"uid flags", "UID FETCH 1:* (FLAGS)"},
		{"dates", "FETCH 1:* (INTERNALDATE)"},
		{"envelopes of 1000", "FETCH 1:1000 (ENVELOPE BODYSTRUCTURE)"},
		{"fields of 1000", "FETCH 1:1000 (BODY.PEEK[HEADER.FIELDS (LIST-ID)])"},
		{"noop", "NOOP"},
		{"store one", "STORE 500 -FLAGS (\\Answered)"},
		{"search flag", "SEARCH UNSEEN FLAGGED"},
		{"search count", "SEARCH RETURN (COUNT) UNSEEN FLAGGED"},
		{"search subject", "SEARCH RETURN (COUNT) SUBJECT nowhere"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.drain(b, tc.command)
			}
		})
	}
}

// drain sends a command and reads past its answer.
func (c *client) drain(b *testing.B, command string) {
	fmt.Fprintf(c, "t %s\r\n", command)
	for {
		line, err := c.r.ReadSlice('\n')
		switch {
		case err != nil && len(line) == 0:
			b.Fatal(err)
		case bytes.HasPrefix(line, []byte("t OK")):
			return
		case bytes.HasPrefix(line, []byte("t ")):
			b.Fatalf("%s: %s", command, line)
		}
	}
}
