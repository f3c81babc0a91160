package message

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMailboxDirectory compares with the mailbox directory that CYRUS_MAILBOX
// names: message files, cyrus.index and cyrus.cache as a real Cyrus wrote them.
// To judge a doubt, put message files into a mailbox, run Cyrus's reconstruct
// and then this test.
func TestMailboxDirectory(t *testing.T) {
	dir := os.Getenv("CYRUS_MAILBOX")
	if dir == "" {
		t.Skip("CYRUS_MAILBOX names no mailbox directory")
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files["mailbox/"+n.Name()] = b
	}
	recs := readIndex(files["mailbox/cyrus.index"])
	checked := 0
	for _, rec := range recs {
		if checkSpooled(t, files, "mailbox", rec) {
			checked++
		}
	}
	if checked == 0 {
		t.Error("no messages found")
	}
	t.Logf("%d messages", checked)
}
