package synclog

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"
)

// step is one thing done in the recording, and what Cyrus logged for it.
type step struct {
	user string // who does it, by IMAP; empty is what is described in text
	text string // a command, or a description
	log  []string
	id   string // MAILBOXID of the answer
}

var mailboxID = regexp.MustCompile(`MAILBOXID \(([^)]+)\)`)

// recording reads testdata/events-361.txt.
func recording(t *testing.T) []step {
	t.Helper()
	f, err := os.Open("testdata/events-361.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var steps []step
	user := ""
	for in := bufio.NewScanner(f); in.Scan(); {
		line := strings.TrimSpace(in.Text())
		switch {
		case strings.HasPrefix(line, "# connected as "):
			user = strings.TrimPrefix(line, "# connected as ")
		case strings.HasPrefix(line, "# "):
			user = ""
			steps = append(steps, step{text: line[2:]})
		case strings.HasPrefix(line, "C: "):
			steps = append(steps, step{user: user, text: line[3:]})
		case strings.HasPrefix(line, "LOG> "):
			last := &steps[len(steps)-1]
			last.log = append(last.log, line[5:])
		default:
			if m := mailboxID.FindStringSubmatch(line); m != nil {
				steps[len(steps)-1].id = m[1]
			}
		}
	}
	return steps
}

var stamp = regexp.MustCompile(`\.[0-9A-F]{8}\b`)

// names are the lines without doubles, and without what differs from one run to the
// next: times in names of deleted mailboxes, and unique ids, for which ids has the
// CREATE that made them.
func names(lines []string, ids map[string]string) map[string]bool {
	set := map[string]bool{}
	for _, l := range lines {
		l = stamp.ReplaceAllString(l, ".TIME")
		if f := strings.Fields(l); len(f) == 3 && f[0] == "SEEN" && ids[f[2]] != "" {
			l = strings.Join([]string{f[0], f[1], ids[f[2]]}, " ")
		}
		set[l] = true
	}
	return set
}
