package hostile_test

import (
	"fmt"
	"strings"
	"testing"
)

// literal is a message as an argument of APPEND.
func literal(text string) string { return fmt.Sprintf(" {%d+}\r\n%s", len(text), text) }

// TestHugeArguments sends commands whose arguments are as big as a client can
// make them. Any answer will do, as long as it is one.
func TestHugeArguments(t *testing.T) {
	s := start(t)
	c := login(t, s, "alice")
	for i := range 100 {
		ok(t, c, fmt.Sprintf("CREATE INBOX/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d", i))
	}
	for range 3 {
		ok(t, c, "APPEND INBOX"+literal("Subject: x\r\n\r\nx\r\n"))
	}
	var ranges strings.Builder
	for i := range 100_000 {
		if i > 0 {
			ranges.WriteByte(',')
		}
		fmt.Fprintf(&ranges, "%d:%d", i*3+1, i*3+2)
	}
	w := watch(t, s)
	for _, a := range []struct{ name, cmd string }{
		{"ranges", "FETCH " + ranges.String() + " (FLAGS)"},
		{"UID ranges", "UID FETCH " + ranges.String() + " (FLAGS)"},
		{"largest range", "UID FETCH 1:4294967295 (FLAGS)"},
		{"STORE of ranges", "UID STORE " + ranges.String() + " +FLAGS (x)"},
		{"SEARCH of ranges", "UID SEARCH UID " + ranges.String()},
		{"NOT NOT", "SEARCH " + strings.Repeat("NOT ", 100_000) + "ALL"},
		{"OR OR", "SEARCH " + strings.Repeat("OR SEEN ", 10_000) + "ALL"},
		{"brackets", "SEARCH " + strings.Repeat("(", 100_000) + "ALL" + strings.Repeat(")", 100_000)},
		{"many keys", "SEARCH" + strings.Repeat(" BODY x", 10_000)},
		{"LIST stars", `LIST "" ` + strings.Repeat("*%", 2_000)},
		{"LIST backtracking", `LIST "" ` + strings.Repeat("*a", 30) + "*b"},
		{"LIST many", `LIST "" (` + strings.TrimSpace(strings.Repeat("*a*b ", 5_000)) + ")"},
		{"FETCH items", "FETCH 1:* (" + strings.TrimSpace(strings.Repeat("BODY.PEEK[] ", 5_000)) + ")"},
		{"FETCH fields", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (" + strings.TrimSpace(strings.Repeat("Subject ", 20_000)) + ")]"},
		{"deep section", "FETCH 1:* BODY.PEEK[" + strings.Repeat("1.", 20_000) + "1]"},
		{"flags", "STORE 1 +FLAGS (" + strings.TrimSpace(strings.Repeat("a b c d e f ", 10_000)) + ")"},
		{"many flags", "STORE 1 +FLAGS (" + numbered(10_000) + ")"},
		{"deep mailbox", "CREATE INBOX" + strings.Repeat("/a", 10_000)},
		{"brackets of LIST", `LIST (` + strings.Repeat("(", 50_000) + ` "" *`},
		{"ID", "ID (" + strings.TrimSpace(strings.Repeat(`"a" "b" `, 10_000)) + ")"},
	} {
		t.Run(a.name, func(t *testing.T) {
			c := login(t, s, "alice")
			ok(t, c, "SELECT INBOX")
			go c.Send("x " + a.cmd + "\r\n")
			for {
				line, err := c.Line()
				if ended(err) {
					t.Fatal("ended without a BYE")
				}
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, "x ") || strings.HasPrefix(line, "* BYE ") {
					t.Logf("%.90s", line)
					return
				}
			}
		})
	}
	w.end()
}

func numbered(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("flag%d", i)
	}
	return strings.Join(words, " ")
}
