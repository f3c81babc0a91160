package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// lists is a folder that alice shares, on another server than her INBOX.
const lists = "Shared Folders/lists"

// frontend is that of a Murder with two backends: alice's INBOX is on the first, the
// shared folder on the second.
func frontend(t *testing.T) *murder.Seat {
	t.Helper()
	m := murder.New(t, murder.Options{
		Frontends: []murder.Kind{murder.Ours}, Backends: []murder.Kind{murder.Ours, murder.Ours},
		Imapd: map[string][]string{"": {"altnamespace: yes", "unixhierarchysep: yes"}},
	})
	admin := m.Frontends[0].Session(cyrustest.Admin)
	admin.Must(
		"CREATE user/alice "+m.Backends[0].IP+"!default",
		"CREATE lists "+m.Backends[1].IP+"!default",
		"SETACL lists alice lrswipkxte",
		"SETACL lists anyone p",
	)
	return m.Frontends[0]
}

const mbsyncMurderConf = `IMAPAccount far
Host %[1]s
SSLType None
User alice
Pass %[2]s
AuthMechs PLAIN
PipelineDepth 50

IMAPStore far
Account far
PathDelimiter /

MaildirStore near
Path %[3]s/near/
Inbox %[3]s/near/INBOX
SubFolders Verbatim

Channel own
Far :far:
Near :near:
Patterns INBOX Archive
Create Both
Expunge Both
SyncState *

Channel shared
Far ":far:Shared Folders/lists"
Near ":near:lists"
Create Near
Expunge Both
SyncState *

Group all
Channels own shared
`

// mbsync goes both ways through a frontend, over folders of two backends in one
// session. Its second run changes nothing, and its third what was changed meanwhile.
func TestMurderMbsync(t *testing.T) {
	path := program(t, "mbsync")
	s := frontend(t)
	c := s.Login("alice")
	if err := c.Create("Archive", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"INBOX": 120, "Archive": 30, lists: 50} {
		fill(t, c, name, n)
	}
	dir := t.TempDir()
	fillNear(t, dir)
	writeFile(t, filepath.Join(dir, "rc"), fmt.Sprintf(mbsyncMurderConf, s.IP, cyrustest.Password, dir))
	run := func() {
		t.Helper()
		newClient(t, path, "-q", "-c", filepath.Join(dir, "rc"), "all").must(t)
	}
	run()
	far, near := map[string]int{"INBOX": 420, "Archive": 30, lists: 50}, map[string]int{"INBOX": 420, "Archive": 30, "lists": 50}
	for name, n := range far {
		if got := len(subjects(t, s.Server, "alice", name)); got != n {
			t.Errorf("%s: %d messages on the servers, want %d", name, got, n)
		}
	}
	for name, n := range near {
		if got := len(maildir(t, dir, name)); got != n {
			t.Errorf("%s: %d messages in the maildir, want %d", name, got, n)
		}
	}

	there, here := farState(t, s.Server, far), nearState(t, dir, near)
	run()
	if again := farState(t, s.Server, far); !slices.Equal(there, again) {
		t.Errorf("the second run changed the servers' side%s", difference(there, again))
	}
	if again := nearState(t, dir, near); !slices.Equal(here, again) {
		t.Errorf("the second run changed the maildirs%s", difference(here, again))
	}

	s.Append(c, lists, cyrustest.Message("new in the shared folder"))
	s.Append(c, "INBOX", cyrustest.Message("new on the server"))
	writeFile(t, filepath.Join(dir, "near", "lists", "new", "1800000000.2.host"), "From: alice@example.com\nSubject: new for the shared folder\n\nText.\n")
	run()
	if got := maildir(t, dir, "lists"); !slices.Contains(got, "new in the shared folder []") || len(got) != 52 {
		t.Errorf("the maildir has %d messages, the last %q", len(got), got[len(got)-3:])
	}
	if got := subjects(t, s.Server, "alice", lists); !slices.Contains(got, "new for the shared folder") || len(got) != 52 {
		t.Errorf("the shared folder has %d messages", len(got))
	}
}

// One session of Go's imapclient with folders of two backends: what it lists, copies
// and moves is as if one server had them.
func TestMurderSession(t *testing.T) {
	s := frontend(t)
	c := s.Login("alice")
	x := session{t, c}
	for i := range 6 {
		s.Append(c, "INBOX", cyrustest.Message(fmt.Sprint("own ", i)), imap.FlagSeen, "$Work")
	}
	s.Deliver(cyrustest.Message("to both"), "alice", "+lists")

	listed, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, NumUnseen: true}}).Collect()
	x.must(err)
	var got []string
	for _, l := range listed {
		if l.Status == nil {
			t.Fatalf("%s has no STATUS", l.Mailbox)
		}
		got = append(got, fmt.Sprintf("%s %d %d", l.Mailbox, *l.Status.NumMessages, *l.Status.NumUnseen))
	}
	if want := []string{"INBOX 7 1", lists + " 1 1"}; !slices.Equal(got, want) {
		t.Errorf("LIST: %q, want %q", got, want)
	}

	_, err = c.Select("INBOX", nil).Wait()
	x.must(err)
	copied, err := c.Copy(imap.UIDSetNum(1, 3, 5), lists).Wait()
	x.must(err)
	if src, dest := copied.SourceUIDs.String(), copied.DestUIDs.String(); src != "1,3,5" || dest != "2:4" {
		t.Errorf("COPY of %s to %s", src, dest)
	}
	box, err := c.Select(lists, &imap.SelectOptions{CondStore: true}).Wait()
	x.must(err)
	if box.NumMessages != 4 {
		t.Errorf("%d messages, want 4", box.NumMessages)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Flag: []imap.Flag{"$Work", imap.FlagSeen}}, &imap.SearchOptions{ReturnAll: true}).Wait()
	x.must(err)
	if all := found.All.String(); all != "2:4" {
		t.Errorf("with the flags are %s, want 2:4", all)
	}
	moved, err := c.Move(imap.UIDSetNum(1, 4), "INBOX").Wait()
	x.must(err)
	if src, dest := moved.SourceUIDs.String(), moved.DestUIDs.String(); src != "1,4" || dest != "8:9" {
		t.Errorf("MOVE of %s to %s", src, dest)
	}
	wantSubjects(t, s.Server, "alice", lists, "own 0", "own 2")
	wantSubjects(t, s.Server, "alice", "INBOX", "own 0", "own 1", "own 2", "own 3", "own 4", "own 5", "own 4", "to both", "to both")
	x.must(c.Logout().Wait())
}
