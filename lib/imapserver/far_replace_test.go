package imapserver

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFarReplace: REPLACE at one server, and between two.
func TestFarReplace(t *testing.T) { farReplace(t, startMurder(t, "")) }

func farReplace(t *testing.T, m *murderSite) {
	c := login(t, m.dial, "alice")
	c.must("CAPABILITY", "OK", "REPLACE")
	fresh := strings.Replace(farMail, "Subject: ", "Subject: fresh ", 1)
	for _, target := range []string{"Sent", `"Shared Folders/shared"`, `"Other Users/bob"`} {
		for _, uid := range []string{"", "UID "} {
			c.deliver("INBOX", "", 2)
			c.must("SELECT INBOX", "OK", "* 2 EXISTS")
			first := "1"
			if uid != "" {
				lines, _ := c.ask("UID SEARCH 1")
				i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "* SEARCH ") })
				first = strings.TrimPrefix(lines[i], "* SEARCH ")
			}
			for _, bad := range []string{"9", "1:2", "4294967294"} {
				c.must(fmt.Sprintf("%sREPLACE %s %s {%d+}\r\n%s", uid, bad, target, len(fresh), fresh), "NO")
			}
			c.must(fmt.Sprintf("%sREPLACE %s nosuch {%d+}\r\n%s", uid, first, len(fresh), fresh), "NO [TRYCREATE]")
			c.must("NOOP", "OK")
			c.must(fmt.Sprintf(`%sREPLACE %s %s (\Flagged kw) "01-Jan-2024 00:00:09 +0000" {%d+}`+"\r\n%s", uid, first, target, len(fresh), fresh),
				"OK", "[APPENDUID ", "* 1 EXPUNGE")
			c.must("NOOP", "OK")
			c.must("FETCH 1:* UID", "OK", "* 1 FETCH")
			c.must("STATUS INBOX (MESSAGES)", "OK", "MESSAGES 1")
			c.must("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
			c.must("EXPUNGE", "OK", "* 1 EXPUNGE")
			c.must("SELECT "+target, "OK", "* 1 EXISTS")
			c.must("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "OK", "kw", " 1-Jan-2024 00:00:09", "Subject: fresh")
			c.must("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
			c.must("EXPUNGE", "OK")
		}
	}
}

// TestFarCopyMany: more messages at once than files may be open.
func TestFarCopyMany(t *testing.T) {
	m := startMurder(t, "")
	c := login(t, m.dial, "alice")
	const n = 700
	var b strings.Builder
	b.WriteString("APPEND INBOX")
	for range n {
		fmt.Fprintf(&b, " {%d+}\r\n%s", len(farMail), farMail)
	}
	c.must(b.String(), "OK [APPENDUID ")
	c.must("SELECT INBOX", "OK", fmt.Sprintf("* %d EXISTS", n))
	_, tagged := c.ask(`COPY 1:* "Shared Folders/shared"`)
	if want := fmt.Sprintf(" 1:%d 1:%d] Completed", n, n); !strings.HasPrefix(tagged, "OK [COPYUID ") || !strings.HasSuffix(tagged, want) {
		t.Errorf("%s; want %s", tagged, want)
	}
	c.must(`STATUS "Shared Folders/shared" (MESSAGES)`, "OK", fmt.Sprintf("MESSAGES %d", n))
}

// TestFarListAway: a server that is away, and one that takes connections and says nothing,
// cost what they would have told, and all of it no longer than one of them.
func TestFarListAway(t *testing.T) {
	m := startMurder(t, "")
	m.front.murder.opts.Timeout = time.Second
	c := login(t, m.dial, "alice")
	c.deliver("INBOX", "", 1)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m.backs["be2.example.org"].breakUp(true)
	m.backs["be2.example.org"].addr = silent.Addr().String()
	begun := time.Now()
	c.must(`LIST "" "*" RETURN (STATUS (MESSAGES))`, "OK", `"/" INBOX`, "* STATUS INBOX (MESSAGES 1)", `"/" "Shared Folders/shared"`, `"/" "Other Users/bob"`)
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	lines, _ := c.ask(`LIST "" "*" RETURN (STATUS (MESSAGES))`)
	if slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, `STATUS "Shared Folders/shared`) }) {
		t.Errorf("%q", lines)
	}
}
