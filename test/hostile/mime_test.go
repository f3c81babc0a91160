package hostile_test

import (
	"fmt"
	"strings"
	"testing"
)

// monsters are messages that a careless parser needs for ever for, or all memory.
var monsters = []struct {
	name string
	make func() string
}{
	{"nested multiparts", func() string {
		var b strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String()
	}},
	{"nested messages", func() string { return strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 50_000) }},
	{"100,000 parts", func() string {
		return "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + strings.Repeat("--x\r\n\r\na\r\n", 100_000) + "--x--\r\n"
	}},
	{"1,000,000 fields", func() string { return strings.Repeat("X: y\r\n", 1_000_000) + "\r\nbody\r\n" }},
	{"100,000 References", func() string { return strings.Repeat("References: <a@b>\r\n", 100_000) + "\r\nbody\r\n" }},
	{"one long field", func() string { return "Subject: " + strings.Repeat("a ", 5_000_000) + "\r\n\r\nbody\r\n" }},
	{"folded for ever", func() string { return "Subject: a\r\n" + strings.Repeat(" b\r\n", 1_000_000) + "\r\nbody\r\n" }},
	{"100,000 addresses", func() string { return "To: " + strings.Repeat("a@b, ", 100_000) + "c@d\r\n\r\nbody\r\n" }},
	{"comments in comments", func() string { return "To: " + strings.Repeat("(", 500_000) + "\r\n\r\nbody\r\n" }},
	{"groups", func() string { return "To: " + strings.Repeat("g:", 200_000) + ";\r\n\r\nbody\r\n" }},
	{"parameters", func() string {
		return "Content-Type: text/plain" + strings.Repeat("; a=b", 200_000) + "\r\n\r\nbody\r\n"
	}},
	{"continued parameters", func() string {
		var b strings.Builder
		b.WriteString("Content-Type: text/plain")
		for i := range 100_000 {
			fmt.Fprintf(&b, "; name*%d*=%%41", i)
		}
		return b.String() + "\r\n\r\nbody\r\n"
	}},
	{"encoded words", func() string { return "Subject: " + strings.Repeat("=?utf-8?q?a?= ", 200_000) + "\r\n\r\nbody\r\n" }},
	{"boundary almost", func() string {
		return "Content-Type: multipart/mixed; boundary=" + strings.Repeat("-", 70) + "\r\n\r\n" + strings.Repeat(strings.Repeat("-", 71)+"\r\n", 100_000)
	}},
	{"no line end", func() string { return "Subject: x\r\n\r\n" + strings.Repeat("x", 20<<20) + "\r\n" }},
}

// difference shows where b, which may have lines in front, is no longer a.
func difference(a, b string) string {
	at := strings.Index(b, a[:min(len(a), 20)])
	if at < 0 {
		return "no such beginning"
	}
	b = b[at:]
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("at %d %.60q is %.60q", i, a[i:], b[i:])
}

// TestMonsters delivers each and reads it back.
func TestMonsters(t *testing.T) {
	s := start(t)
	w := watch(t, s)
	for i, m := range monsters {
		t.Run(m.name, func(t *testing.T) {
			text := fmt.Sprintf("Date: Tue, 24 Nov 2026 06:00:00 +0000\r\nX-Monster: n%d\r\nMessage-ID: <monster-%d@x>\r\n", i, i) + m.make()
			replied := ""
			if err := lmtp(t, s).Deliver(text+"\r\n", []string{"alice"}, func(_, reply string) { replied = reply }); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(replied, "250") {
				t.Logf("refused: %s", replied)
				return
			}
			c := login(t, s, "alice")
			ok(t, c, "EXAMINE INBOX")
			found := ok(t, c, fmt.Sprintf("UID SEARCH HEADER X-Monster n%d", i)).Untagged[0].Text
			uid := strings.TrimPrefix(found, "SEARCH ")
			if uid == found {
				t.Fatalf("delivered and not found: %s", found)
			}
			for _, items := range []string{"ENVELOPE", "BODYSTRUCTURE", "BODY", "BODY.PEEK[HEADER]", "BODY.PEEK[1.1.1.1]", "BODY.PEEK[HEADER.FIELDS (To)]", "PREVIEW"} {
				ok(t, c, "UID FETCH "+uid+" "+items)
			}
			r := ok(t, c, "UID FETCH "+uid+" BODY.PEEK[]")
			if got := string(r.Untagged[0].Literals[0]); !strings.Contains(got, text) {
				t.Errorf("%d octets sent, other %d read: %s", len(text), len(got), difference(text, got))
			}
			for _, search := range []string{"BODY zzz", "TEXT zzz", "TO zzz", "SUBJECT zzz"} {
				ok(t, c, "UID SEARCH UID "+uid+" "+search)
			}
		})
	}
	w.end()
}
