package sievedir

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gocyrus/lib/message"
)

// FuzzMessage checks that name, id and text of a script are read back from its
// message, and that no name breaks out of the header.
func FuzzMessage(f *testing.F) {
	for _, n := range []string{"main", "müller", "  lead", "=?UTF-8?Q?x?=", "a\r\nX: y", strings.Repeat("word ", 40), "😀", "\x7f", "\t"} {
		f.Add(n, "keep;\r\n")
	}
	d := &Dir{opt: Options{ServerName: "mail.example.com"}}
	f.Fuzz(func(t *testing.T, name, text string) {
		if CheckName(name) != nil || !utf8.ValidString(name) {
			return
		}
		file := d.build("alice", name, "id24", []byte(text), time.Unix(1e9, 0))
		m, err := message.Parse(file, message.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		header, body := split(file, m.HeaderSize)
		if got := nameOf(header); got != name {
			t.Errorf("name %q, want %q", got, name)
		}
		if got := idOf(header); got != "id24" || string(body) != text {
			t.Errorf("id %q, text %q of %q", got, body, text)
		}
	})
}

// FuzzRead checks that any message can be read.
func FuzzRead(f *testing.F) {
	f.Add([]byte("Subject: x\r\nContent-Disposition: attachment;\r\n\tfilename=\"a.sieve\"\r\n\r\nkeep;"), uint32(70))
	f.Add([]byte("Content-Disposition: ;;=\"\r\n"), uint32(1<<31))
	f.Fuzz(func(t *testing.T, file []byte, header uint32) {
		head, text := split(file, header)
		if len(head)+len(text) != len(file) {
			t.Errorf("%d + %d of %d", len(head), len(text), len(file))
		}
		if n := nameOf(head); strings.ContainsRune(n, 0) {
			t.Errorf("name %q", n)
		}
		idOf(head)
	})
}
