package interop

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gocyrus/lib/cyrustest"
)

// rawSession is a session with INBOX selected.
func rawSession(t *testing.T, s *cyrustest.Server, user string) *cyrustest.Raw {
	t.Helper()
	c := s.Dial(s.IMAP)
	if _, err := c.Line(); err != nil {
		t.Fatal(err)
	}
	say(t, c, fmt.Sprintf("a1 LOGIN %s %s", user, cyrustest.Password), "a1 OK")
	say(t, c, "a2 SELECT INBOX", "a2 OK")
	return c
}

func say(t *testing.T, c *cyrustest.Raw, line, want string) []string {
	t.Helper()
	tag, _, _ := strings.Cut(line, " ")
	got, err := c.Command(line, tag+" ")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got[len(got)-1], want) {
		t.Fatalf("%s: %s, want %s", line, got[len(got)-1], want)
	}
	return got
}

// logged says whether the server's log has a line with text in it.
func logged(t *testing.T, s *cyrustest.Server, text string) func() bool {
	return func() bool {
		log, err := os.ReadFile(s.Log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(log), text)
	}
}

// A session lives through SIGHUP. What cyrus.conf has more is served after it,
// and a service that is no longer in it is not.
func TestReload(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}})
	c := rawSession(t, s, "alice")
	more := cyrustest.FreeAddress(t)
	s.Set(func(o *cyrustest.Options) {
		o.Entries = map[string][]string{"SERVICES": {`more cmd="$bin/imapd -C $conf" listen="` + more + `"`}}
		o.Args = map[string]string{"pop3": "-"}
	})
	s.Signal(syscall.SIGHUP)
	s.Eventually("the new service", func() bool { return answers(more) })
	s.Eventually("the end of pop3", func() bool { return !answers(s.POP3) })
	say(t, c, "a3 NOOP", "a3 OK")
	s.Deliver(cyrustest.Message("after"), "alice")
	say(t, c, "a4 FETCH 1 FLAGS", "a4 OK")
	say(t, c, "a5 LOGOUT", "a5 OK")
}

// SIGTERM ends the sessions, without a word as in Cyrus, and leaves neither a
// process nor the pid file's lock behind.
func TestShutdown(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}})
	c := rawSession(t, s, "alice")
	children := s.Children("imapd")
	if len(children) == 0 {
		t.Fatal("no imapd")
	}
	if err := s.Stop(); err != nil {
		t.Errorf("master: %v", err)
	}
	if line, err := c.Line(); !errors.Is(err, io.EOF) {
		t.Errorf("the session got %q, %v; want its end", line, err)
	}
	for _, pid := range children {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("imapd %d still runs", pid)
		}
	}
	s.Resume()
	say(t, rawSession(t, s, "alice"), "a3 LOGOUT", "a3 OK")
}

// A worker that is killed costs its sessions; the next connection is served.
func TestKilledChild(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}})
	for i := range 3 {
		c := rawSession(t, s, "alice")
		for _, pid := range s.Children("imapd") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Line(); err == nil {
			t.Errorf("%d: the session lives on", i)
		}
	}
	say(t, rawSession(t, s, "alice"), "a3 NOOP", "a3 OK")
	s.Eventually("a line about it", logged(t, s, "signaled to death by signal 9"))
}

// A service that fails as soon as it starts is given up after five times,
// until the next SIGHUP; the others go on.
func TestCrashLoop(t *testing.T) {
	bad := cyrustest.FreeAddress(t)
	program := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(program)), 0o711); err != nil { // the services' user is another
		t.Fatal(err)
	}
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}, Entries: map[string][]string{
		"SERVICES": {`bad cmd="` + program + `" listen="` + bad + `" prefork=1 maxforkrate=5`}}})
	s.Eventually("it is given up", logged(t, s, "too many failures for service bad/ipv4, disabling until next SIGHUP"))
	say(t, rawSession(t, s, "alice"), "a3 NOOP", "a3 OK")
	s.Deliver(cyrustest.Message("all the same"), "alice")
	wantSubjects(t, s, "alice", "INBOX", "all the same")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho it is mended >&2\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.Eventually("it is tried again", logged(t, s, "it is mended"))
}

// When a service's program is replaced, new connections get the new one and the
// old sessions go on.
func TestChangedProgram(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}})
	old := rawSession(t, s, "alice")
	before := s.Children("imapd")
	fresh := s.Path("fresh")
	text, err := os.ReadFile(s.Tool("imapd"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fresh, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, s.Tool("imapd")); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.Eventually("a new imapd", func() bool {
		c := s.Dial(s.IMAP)
		defer c.Close()
		if _, err := c.Line(); err != nil {
			return false
		}
		for _, pid := range s.Children("imapd") {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && !has(before, pid) && exe == s.Tool("imapd") {
				return true
			}
		}
		return false
	})
	say(t, old, "a3 NOOP", "a3 OK")
	say(t, old, "a4 LOGOUT", "a4 OK")
}

func has(list []int, n int) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

// No more than maxchild sessions at once: the next one waits for a place.
func TestMaxchild(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}, Args: map[string]string{"pop3": "maxchild=2"}})
	open := func() *cyrustest.Raw { return s.Dial(s.POP3) }
	greeted := func(c *cyrustest.Raw) {
		t.Helper()
		if line, err := c.Line(); err != nil || !strings.HasPrefix(line, "+OK") {
			t.Fatalf("greeting %q, %v", line, err)
		}
	}
	one, two := open(), open()
	greeted(one)
	greeted(two)
	three := open()
	got := make(chan error, 1)
	go func() { _, err := three.Line(); got <- err }()
	// Two sessions are served meanwhile, over and over, and the third is not.
	for range 100 {
		if _, err := one.Command("CAPA", "."); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-got:
		t.Fatalf("a third session is greeted: %v", err)
	default:
	}
	if _, err := two.Command("QUIT", "+OK"); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("the third session is not greeted when there is room: %v", err)
	}
}

// idleSessions is how many sessions one imapd holds in TestIdleSessions.
const idleSessions = 5000

// One imapd holds thousands of sessions, and wakes every one that waits for the
// same mailbox.
func TestIdleSessions(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Max < idleSessions+100 {
		t.Skipf("this process may open %d files, %d are needed", lim.Max, idleSessions+100)
	}
	s := cyrustest.Start(t, cyrustest.Options{Users: []string{"alice"}, Imapd: []string{"sessions_per_process: 6000"}})
	sessions := make([]*cyrustest.Raw, idleSessions)
	var wg sync.WaitGroup
	errs := make(chan error, idleSessions)
	for k := range 8 {
		wg.Go(func() {
			for i := k; i < idleSessions; i += 8 {
				c, err := idler(s)
				if err != nil {
					errs <- fmt.Errorf("session %d: %w", i, err)
					return
				}
				sessions[i] = c
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	if n := len(s.Children("imapd")); n != 1 {
		t.Errorf("%d imapd processes, want 1", n)
	}
	s.Deliver(cyrustest.Message("for all"), "alice")
	for i, c := range sessions {
		line, err := c.Line()
		if err != nil || line != "* 1 EXISTS" {
			t.Fatalf("session %d: %q, %v", i, line, err)
		}
	}
}

// idler opens a session that waits in IDLE.
func idler(s *cyrustest.Server) (*cyrustest.Raw, error) {
	c := s.Dial(s.IMAP)
	if _, err := c.Line(); err != nil {
		return nil, err
	}
	for _, step := range [][2]string{{"a1 LOGIN alice " + cyrustest.Password, "a1 OK"}, {"a2 SELECT INBOX", "a2 OK"}, {"a3 IDLE", "+ "}} {
		if _, err := c.Command(step[0], step[1]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Eight connections deliver at once, to the same user too; nothing is lost.
func TestParallelDelivery(t *testing.T) {
	const connections, each = 8, 25
	users := []string{"alice", "bob"}
	s := cyrustest.Start(t, cyrustest.Options{Users: users, Imapd: []string{"duplicatesuppression: no"}})
	var wg sync.WaitGroup
	errs := make(chan error, connections)
	for k := range connections {
		l := s.DialLMTP("unix")
		wg.Go(func() {
			for i := range each {
				if err := l.Send(cyrustest.Message(fmt.Sprintf("%d.%d", k, i)), users...); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	for _, u := range users {
		if n := len(subjects(t, s, u, "INBOX")); n != connections*each {
			t.Errorf("%s has %d messages, want %d", u, n, connections*each)
		}
	}
}
