package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/lib/cyrustest"
)

// clientTime is how long a client may take for all its work.
const clientTime = 2 * time.Minute

// program is the path of an installed program, looked for in PATH and where
// Debian puts those that are not in it.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/lib/cyrus/bin"} {
		if path := filepath.Join(dir, name); executable(path) {
			return path
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// A client is a program that is about to run.
type client struct {
	*exec.Cmd
	out, complaints bytes.Buffer
	cancel          context.CancelFunc
}

// newClient prepares a program whose home is an empty directory.
func newClient(t *testing.T, path string, args ...string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	t.Cleanup(cancel)
	c := &client{Cmd: exec.CommandContext(ctx, path, args...), cancel: cancel}
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "HOME="+c.Dir, "LC_ALL=C", "TERM=dumb")
	c.Stdout, c.Stderr = &c.out, &c.complaints
	c.WaitDelay = 5 * time.Second
	return c
}

// status runs the program and returns its exit status.
func (c *client) status(t *testing.T) int {
	t.Helper()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || c.ProcessState.ExitCode() < 0 {
		t.Fatalf("%s: %v\n%s%s", c.Path, err, &c.out, &c.complaints)
	}
	return c.ProcessState.ExitCode()
}

// must runs the program, wants status 0 and returns its standard output.
func (c *client) must(t *testing.T) string {
	t.Helper()
	if status := c.status(t); status != 0 {
		t.Fatalf("%s: status %d\n%s%s", strings.Join(c.Args, " "), status, &c.out, &c.complaints)
	}
	return c.out.String()
}

// start is a server with users who have INBOXes.
func start(t *testing.T, o cyrustest.Options, users ...string) *cyrustest.Server {
	t.Helper()
	s := cyrustest.Start(t, o)
	for _, u := range users {
		s.AddUser(u)
	}
	return s
}

// port is the port of an address.
func port(t *testing.T, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// writeFile makes a file that only its owner reads, as clients want of files
// with passwords.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// subjects are the subjects of a mailbox's messages, sorted.
func subjects(t *testing.T, s *cyrustest.Server, user, mailbox string) []string {
	t.Helper()
	var list []string
	for _, m := range messages(t, s, user, mailbox) {
		list = append(list, m.Envelope.Subject)
	}
	slices.Sort(list)
	return list
}

// messages are the messages of a mailbox with UID, flags, modseq and envelope.
func messages(t *testing.T, s *cyrustest.Server, user, mailbox string) []*imapclient.FetchMessageBuffer {
	t.Helper()
	c := s.Login(user)
	defer c.Close()
	box, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		t.Fatalf("EXAMINE %s: %v", mailbox, err)
	}
	if box.NumMessages == 0 {
		return nil
	}
	all := imap.UIDSet{imap.UIDRange{Start: 1}}
	list, err := c.Fetch(all, &imap.FetchOptions{UID: true, Flags: true, Envelope: true, ModSeq: true}).Collect()
	if err != nil {
		t.Fatalf("FETCH of %s: %v", mailbox, err)
	}
	return list
}

// state is all that a client may change in a mailbox, one line a message.
func state(t *testing.T, s *cyrustest.Server, user, mailbox string) []string {
	t.Helper()
	var lines []string
	for _, m := range messages(t, s, user, mailbox) {
		lines = append(lines, fmt.Sprint(m.UID, " ", m.ModSeq, " ", m.Flags, " ", m.Envelope.Subject))
	}
	return lines
}

// wantSubjects compares a mailbox with the subjects it should have.
func wantSubjects(t *testing.T, s *cyrustest.Server, user, mailbox string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := subjects(t, s, user, mailbox); !slices.Equal(got, want) {
		t.Errorf("%s of %s has %q, want %q", mailbox, user, got, want)
	}
}

// absolute is the path of a file beside the tests; clients run elsewhere.
func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// answers says whether a server greets at an address.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, cyrustest.Patience)
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(cyrustest.Patience)); err != nil {
		return false
	}
	n, err := c.Read(make([]byte, 1))
	return n == 1 && err == nil
}
