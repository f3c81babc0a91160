package imapserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/seqset"
)

// TestFarInParts: UIDs that do not fit one command go in several; the client sees one
// COPY, and one MOVE.
func TestFarInParts(t *testing.T) {
	m := startMurder(t, "")
	m.front.murder.ranges = 2
	c := login(t, m.dial, "alice")
	c.deliver("INBOX", "", 11)
	c.must("SELECT INBOX", "OK")
	c.must(`STORE 2,4,6,8,10 +FLAGS.SILENT (\Deleted)`, "OK")
	c.must("EXPUNGE", "OK", "* 2 EXPUNGE")
	shared := `"Shared Folders/shared"`
	if _, tagged := c.ask("COPY 1:* " + shared); !strings.Contains(tagged, " 1,3,5,7,9,11 1:6]") {
		t.Errorf("COPY: %s", tagged)
	}
	lines, tagged := c.ask("MOVE 1:* " + shared)
	gone := 0
	for _, l := range lines {
		if strings.HasSuffix(l, " EXPUNGE") {
			gone++
		}
	}
	told := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, " 1,3,5,7,9,11 7:12]") })
	if !strings.HasPrefix(tagged, "OK") || told < 0 || gone != 6 {
		t.Errorf("MOVE: %q %s", lines, tagged)
	}
	c.must("STATUS INBOX (MESSAGES)", "OK", "(MESSAGES 0)")
	c.must("STATUS "+shared+" (MESSAGES)", "OK", "(MESSAGES 12)")
}

// TestMaxRanges: a command with the longest set is one that Cyrus takes.
func TestMaxRanges(t *testing.T) {
	const last = 1<<32 - 1
	var all seqset.Set
	for i := uint32(maxRanges); i > 0; i-- {
		all = append(all, seqset.Range{First: last - 3*i, Last: last - 3*i + 1})
	}
	if n := len(all.String()); n > 131072 || n < 100000 {
		t.Errorf("%d octets", n)
	}
}

// TestFarUsesUnasked: who asks for STATUS in LIST is told special uses as on one server.
func TestFarUsesUnasked(t *testing.T) {
	for _, always := range []string{"yes", "no"} {
		m := startMurder(t, fmt.Sprintf("specialusealways: %s\n", always))
		c := login(t, m.dial, "alice")
		c.must(`CREATE Rubbish (USE (\Trash))`, "OK")
		lines, _ := c.ask(`LIST "" Rubbish RETURN (STATUS (MESSAGES))`)
		told := strings.Contains(strings.Join(lines, "\n"), `\Trash) "/" Rubbish`)
		if len(lines) != 2 || told != (always == "yes") {
			t.Errorf("%s: %q", always, lines)
		}
	}
}
