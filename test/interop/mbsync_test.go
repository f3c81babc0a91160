package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/lib/cyrustest"
)

const mbsyncConf = `IMAPAccount far
Host localhost
Port %[1]s
SSLType IMAPS
CertificateFile %[2]s
User alice
Pass %[3]s
AuthMechs PLAIN
PipelineDepth 50

IMAPStore far
Account far
UseNamespace yes
PathDelimiter /

MaildirStore near
Path %[4]s/near/
Inbox %[4]s/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
`

// Where the 2,000 messages of the test are at first, and how many.
var farFolders, nearFolders = map[string]int{"INBOX": 900, "Archive": 300, "Lists/go": 300}, map[string]int{"INBOX": 300, "Sent": 200}

// mbsync goes both ways over 2,000 messages. Its second run changes nothing,
// and its third what was changed meanwhile, on either side.
func TestMbsync(t *testing.T) {
	path := program(t, "mbsync")
	s := start(t, cyrustest.Options{}, "alice")
	fillFar(t, s)
	dir := t.TempDir()
	fillNear(t, dir)
	writeFile(t, filepath.Join(dir, "rc"), fmt.Sprintf(mbsyncConf, port(t, s.IMAPS), s.CAFile, cyrustest.Password, dir))
	run := func() {
		t.Helper()
		newClient(t, path, "-q", "-c", filepath.Join(dir, "rc"), "-a").must(t)
	}
	run()
	all := map[string]int{"INBOX": 1200, "Archive": 300, "Lists/go": 300, "Sent": 200}
	for name, n := range all {
		if got := len(subjects(t, s, "alice", name)); got != n {
			t.Errorf("%s: %d messages on the server, want %d", name, got, n)
		}
		if got := len(maildir(t, dir, name)); got != n {
			t.Errorf("%s: %d messages in the maildir, want %d", name, got, n)
		}
	}

	far, near := farState(t, s, all), nearState(t, dir, all)
	run()
	if again := farState(t, s, all); !slices.Equal(far, again) {
		t.Errorf("the second run changed the server's side%s", difference(far, again))
	}
	if again := nearState(t, dir, all); !slices.Equal(near, again) {
		t.Errorf("the second run changed the maildirs%s", difference(near, again))
	}

	changeFar(t, s)
	changeNear(t, dir)
	run()
	checkChanges(t, s, dir)
}

// fillFar puts the server's messages in; every third is read.
func fillFar(t *testing.T, s *cyrustest.Server) {
	t.Helper()
	c := s.Login("alice")
	defer c.Close()
	for name, n := range farFolders {
		if name != "INBOX" {
			if err := c.Create(name, nil).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		fill(t, c, name, n)
	}
}

// fill appends n messages, all in one go.
func fill(t *testing.T, c *imapclient.Client, name string, n int) {
	t.Helper()
	var cmds []*imapclient.AppendCommand
	for i := range n {
		msg := cyrustest.Message(fmt.Sprintf("%s far %d", name, i))
		o := &imap.AppendOptions{}
		if i%3 == 0 {
			o.Flags = append(o.Flags, imap.FlagSeen)
		}
		cmd := c.Append(name, int64(len(msg)), o)
		if _, err := cmd.Write(msg); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if _, err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// fillNear makes the maildirs.
func fillNear(t *testing.T, dir string) {
	t.Helper()
	for name, n := range nearFolders {
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, "near", name, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			msg := bytes.ReplaceAll(cyrustest.Message(fmt.Sprintf("%s near %d", name, i)), []byte("\r\n"), []byte("\n"))
			writeFile(t, filepath.Join(dir, "near", name, "cur", fmt.Sprintf("17000000%02d.%d.host:2,S", i%60, i)), string(msg))
		}
	}
}

// maildir is the messages of a maildir: subject and flags, a line each.
func maildir(t *testing.T, dir, name string) []string {
	t.Helper()
	var lines []string
	for _, sub := range []string{"cur", "new"} {
		files, err := filepath.Glob(filepath.Join(dir, "near", name, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(text), "\nSubject: ")
			subject, _, _ := strings.Cut(rest, "\n")
			_, flags, _ := strings.Cut(f, ":2,")
			lines = append(lines, subject+" ["+flags+"]")
		}
	}
	slices.Sort(lines)
	return lines
}

func farState(t *testing.T, s *cyrustest.Server, folders map[string]int) []string {
	t.Helper()
	var all []string
	for name := range folders {
		for _, l := range state(t, s, "alice", name) {
			all = append(all, name+": "+l)
		}
	}
	slices.Sort(all)
	return all
}

func nearState(t *testing.T, dir string, folders map[string]int) []string {
	t.Helper()
	var all []string
	for name := range folders {
		for _, l := range maildir(t, dir, name) {
			all = append(all, name+": "+l)
		}
	}
	slices.Sort(all)
	return all
}

// difference shows some of the lines that are in one of two lists alone.
func difference(before, after []string) string {
	var b strings.Builder
	n := 0
	show := func(sign string, list, other []string) {
		in := map[string]bool{}
		for _, l := range other {
			in[l] = true
		}
		for _, l := range list {
			if !in[l] && n < 20 {
				n++
				b.WriteString("\n" + sign + l)
			}
		}
	}
	show("-", before, after)
	show("+", after, before)
	return b.String()
}

// changeFar flags one message of INBOX, removes another, and adds one.
func changeFar(t *testing.T, s *cyrustest.Server) {
	t.Helper()
	c := s.Login("alice")
	defer c.Close()
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	store := func(subject string, flag imap.Flag) {
		t.Helper()
		found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: subject}}}, nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		uids := found.AllUIDs()
		if len(uids) == 0 {
			t.Fatalf("no message %q", subject)
		}
		err = c.Store(imap.UIDSetNum(uids[0]), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{flag}, Silent: true}, nil).Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	store("INBOX far 899", imap.FlagFlagged)
	store("INBOX far 898", imap.FlagDeleted)
	if err := c.Expunge().Close(); err != nil {
		t.Fatal(err)
	}
	s.Append(c, "INBOX", cyrustest.Message("new on the server"))
}

// changeNear does the same in the maildir.
func changeNear(t *testing.T, dir string) {
	t.Helper()
	for subject, change := range map[string]func(string) error{
		"INBOX near 299": func(f string) error {
			base, flags, _ := strings.Cut(f, ":2,")
			return os.Rename(f, base+":2,F"+flags)
		},
		"INBOX near 298": os.Remove,
	} {
		if err := change(findMaildir(t, dir, subject)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "near", "INBOX", "new", "1800000000.1.host"), "From: alice@example.com\nSubject: new in the maildir\n\nText.\n")
}

func findMaildir(t *testing.T, dir, subject string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "near", "INBOX", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), "\nSubject: "+subject+"\n") {
			return f
		}
	}
	t.Fatalf("no message %q in the maildir", subject)
	return ""
}

// checkChanges looks for all of the changes on both sides.
func checkChanges(t *testing.T, s *cyrustest.Server, dir string) {
	t.Helper()
	far := map[string]string{}
	for _, m := range messages(t, s, "alice", "INBOX") {
		far[m.Envelope.Subject] = fmt.Sprint(m.Flags)
	}
	near := map[string]string{}
	for _, l := range maildir(t, dir, "INBOX") {
		subject, flags, _ := strings.Cut(l, " [")
		near[subject] = flags
	}
	for _, subject := range []string{"INBOX far 899", "INBOX near 299"} {
		if !strings.Contains(far[subject], `\Flagged`) || !strings.Contains(near[subject], "F") {
			t.Errorf("%s: flags %s on the server, %s in the maildir", subject, far[subject], near[subject])
		}
	}
	for _, subject := range []string{"INBOX far 898", "INBOX near 298"} {
		if _, ok := far[subject]; ok {
			t.Errorf("%s is still on the server", subject)
		}
		if _, ok := near[subject]; ok {
			t.Errorf("%s is still in the maildir", subject)
		}
	}
	for _, subject := range []string{"new on the server", "new in the maildir"} {
		if _, ok := far[subject]; !ok {
			t.Errorf("%s is not on the server", subject)
		}
		if _, ok := near[subject]; !ok {
			t.Errorf("%s is not in the maildir", subject)
		}
	}
}
