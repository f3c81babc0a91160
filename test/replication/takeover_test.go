package replication

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/relaytest"
	"gocyrus/test/internal/rig"
)

// takeOverSize is how many users TestTakeOver has and how many messages in all.
func takeOverSize(t *testing.T) (users, messages int) {
	size := os.Getenv("GOCYRUS_TAKEOVER")
	if size == "" {
		return 5, 500
	}
	if _, err := fmt.Sscanf(size, "%d,%d", &users, &messages); err != nil {
		t.Fatalf("GOCYRUS_TAKEOVER=%s: %v", size, err)
	}
	return users, messages
}

// takeOvers are who is followed by whom.
var takeOvers = [][2]kind{{real, real}, {real, ours}, {ours, ours}}

// TestTakeOver moves a live server's users to its replica and back. Clients with
// a state of their own find nothing new on the other server.
func TestTakeOver(t *testing.T) {
	for _, p := range takeOvers {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			t.Parallel()
			testTakeOver(t, p)
		})
	}
}

func testTakeOver(t *testing.T, p [2]kind) {
	if _, err := exec.LookPath("mbsync"); err != nil {
		t.Skip("mbsync is not installed")
	}
	users, messages := takeOverSize(t)
	l := newLink(newSite(t, p[0], "old"), newSite(t, p[1], "new"))
	work := newLoad(t, l.from, users, 1)
	fillUsers(t, work, messages)
	// The users go on working from here to the move.
	work.start()
	began := time.Now()
	if out, status := l.run("-A"); status > 1 {
		t.Fatalf("sync_client -A: status %d\n%s", status, out)
	}
	t.Logf("%d messages of %d users replicated in %v", messages, users, time.Since(began))
	f := l.follow()
	work.until(messages / 10)
	work.halt()
	l.await()
	f.end()
	l.same("before the move")

	back := newLink(l.to, l.from)
	clients := []*mover{newMover(t, work.all[0].user), newMover(t, work.all[1].user)}
	for _, way := range []*link{l, back, l} {
		for _, c := range clients {
			c.sync(way.from)
			c.same(way.to)
		}
		if way == l {
			work.check(l.to)
		}
		// The other is the master from here on.
		work.move(way.to)
		work.start()
		work.until(50)
		work.halt()
		home := l
		if way == l {
			home = back
		}
		home.drain()
		home.together("after the move to " + way.to.name)
		work.check(home.to)
	}
}

// fillUsers gives users messages and subscriptions.
func fillUsers(t *testing.T, work *load, messages int) {
	t.Helper()
	for _, w := range work.all {
		work.busy.Go(func() { w.err = w.fill(messages / len(work.all)) })
	}
	work.busy.Wait()
	for _, w := range work.all {
		if w.err != nil {
			t.Fatalf("%s: %v", w.user, w.err)
		}
	}
}

func (w *worker) fill(n int) error {
	c, err := rig.Login(w.on.IMAP, w.user)
	if err != nil {
		return err
	}
	w.c = c
	for i := range n {
		if err := w.append(folders[i%len(folders)], ""); err != nil {
			return err
		}
	}
	for _, cmd := range []string{"SUBSCRIBE INBOX", "SUBSCRIBE INBOX/one", "SELECT INBOX", `UID STORE 1:10 +FLAGS (\Seen $Forwarded)`} {
		if _, err := ok(c, cmd); err != nil {
			return err
		}
	}
	return bye(c)
}

// move has the users work on another server.
func (l *load) move(to *site) {
	for _, w := range l.all {
		w.on = to
	}
}

// A mover is a user who keeps a copy of the mail, by mbsync and by a client that
// knows QRESYNC, and takes it along from server to server.
type mover struct {
	t    *testing.T
	user string
	dir  string
	// known is the state of the other client, by folder.
	known map[string][2]string // UIDVALIDITY, HIGHESTMODSEQ
}

func newMover(t *testing.T, user string) *mover {
	return &mover{t: t, user: user, dir: t.TempDir(), known: map[string][2]string{}}
}

const mbsyncrc = `IMAPAccount far
Host 127.0.0.1
Port %[1]s
SSLType None
User %[2]s
Pass %[3]s
AuthMechs PLAIN
DisableExtension COMPRESS=DEFLATE

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

// mbsync runs mbsync against a server and returns what it said to it.
func (m *mover) mbsync(on *site) string {
	m.t.Helper()
	r := relaytest.New(m.t, on.IMAP)
	r.Record()
	rc := filepath.Join(m.dir, "rc")
	port := r.Addr()[strings.LastIndexByte(r.Addr(), ':')+1:]
	text := fmt.Sprintf(mbsyncrc, port, m.user, cyrustest.Password, m.dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.dir, "near"), 0o700); err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command("mbsync", "-q", "-c", rc, "-a")
	cmd.Env = append(os.Environ(), "HOME="+m.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("mbsync with %s: %v\n%s", on.name, err, out)
	}
	return string(r.Sent())
}

// sync brings the copies up to date with a server.
func (m *mover) sync(on *site) {
	m.t.Helper()
	first := len(m.known) == 0
	if said := m.mbsync(on); first && !downloads.MatchString(said) {
		m.t.Fatalf("mbsync downloads nothing at first, or by commands this test does not know:\n%s", said)
	}
	m.each(on, func(c *rig.IMAP, folder string) {
		r, err := ok(c, "SELECT "+folder)
		if err != nil {
			m.t.Fatal(err)
		}
		validity, _ := r.UntaggedCode("UIDVALIDITY")
		modseq, _ := r.UntaggedCode("HIGHESTMODSEQ")
		if len(validity) != 1 || len(modseq) != 1 {
			m.t.Fatalf("SELECT %s: %v", folder, r.Untagged)
		}
		m.known[folder] = [2]string{validity[0], modseq[0]}
	})
}

// downloads are commands of mbsync's that fetch a message or change one.
var downloads = regexp.MustCompile(`(?m)^\S+ (UID FETCH .*BODY.*|UID STORE .*|APPEND .*|CREATE .*|DELETE .*|EXPUNGE.*)$`)

// same fails the test when the copies find anything new on a server.
func (m *mover) same(on *site) {
	m.t.Helper()
	before := m.files()
	if got := downloads.FindAllString(m.mbsync(on), -1); got != nil {
		m.t.Errorf("%s of %s: mbsync says %q", on.name, m.user, got)
	}
	if after := m.files(); after != before {
		m.t.Errorf("%s of %s: mbsync has changed the copy", on.name, m.user)
	}
	m.each(on, func(c *rig.IMAP, folder string) {
		k := m.known[folder]
		r, err := ok(c, fmt.Sprintf("SELECT %s (QRESYNC (%s %s 1:*))", folder, k[0], k[1]))
		if err != nil {
			m.t.Fatal(err)
		}
		for _, u := range r.Untagged {
			if strings.Contains(u.Text, "FETCH ") || strings.HasPrefix(u.Text, "VANISHED") {
				m.t.Errorf("%s of %s: %s is not as it was: %s", on.name, m.user, folder, u.Text)
			}
		}
		if got, _ := r.UntaggedCode("UIDVALIDITY"); len(got) != 1 || got[0] != k[0] {
			m.t.Errorf("%s of %s: %s has UIDVALIDITY %v, not %s", on.name, m.user, folder, got, k[0])
		}
	})
}

// each runs fn in a session that knows QRESYNC, for each folder.
func (m *mover) each(on *site, fn func(c *rig.IMAP, folder string)) {
	m.t.Helper()
	c, err := rig.Login(on.IMAP, m.user)
	if err != nil {
		m.t.Fatal(err)
	}
	defer bye(c)
	if _, err := ok(c, "ENABLE QRESYNC"); err != nil {
		m.t.Fatal(err)
	}
	for _, f := range folders {
		fn(c, f)
	}
}

// files are the names of the maildirs' files.
func (m *mover) files() string {
	m.t.Helper()
	var names bytes.Buffer
	err := filepath.WalkDir(filepath.Join(m.dir, "near"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			fmt.Fprintln(&names, path)
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return names.String()
}
