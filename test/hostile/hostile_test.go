package hostile_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// growth is how much memory an attack may cost a process, in octets: what a
// hundred megabytes or a million lines would take if they were kept is more.
const growth = 256 << 20

// start starts a site whose sessions are all in one process, with alice, who is
// attacked, and bob, the witness.
func start(t *testing.T, options ...string) *rig.Site {
	t.Helper()
	s := rig.New(t, options...)
	s.Prefork(1)
	s.Start()
	admin := login(t, s, "admin")
	ok(t, admin, "CREATE user/alice")
	ok(t, admin, "CREATE user/bob")
	t.Cleanup(s.NoPanics)
	return s
}

func login(t *testing.T, s *rig.Site, user string) *rig.IMAP {
	t.Helper()
	c, err := rig.Login(s.IMAP, user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ok sends a command that has to succeed.
func ok(t *testing.T, c *rig.IMAP, cmd string) *rig.Reply {
	t.Helper()
	r, err := c.Do(cmd)
	if err != nil {
		t.Fatalf("%.80q: %v", cmd, err)
	}
	if !r.OK() {
		t.Fatalf("%.80q: %s %s", cmd, r.Status, r.Text)
	}
	return r
}

// A witness is a session beside an attack, which works as if there were none.
type witness struct {
	t    *testing.T
	s    *rig.Site
	c    *rig.IMAP
	stop chan struct{}
	done sync.WaitGroup
	seen chan struct{} // closed after enough rounds

	slowest time.Duration
	err     error
	n       int
	before  map[int]int64 // memory of each process
	most    int64         // growth of one
}

// watch starts a witness.
func watch(t *testing.T, s *rig.Site) *witness {
	t.Helper()
	w := &witness{t: t, s: s, c: login(t, s, "bob"), stop: make(chan struct{}), seen: make(chan struct{}), before: map[int]int64{}}
	ok(t, w.c, "SELECT INBOX")
	for _, p := range s.Processes() {
		w.before[p.Pid] = p.RSS()
	}
	w.done.Go(w.run)
	return w
}

// enough is how many rounds a witness needs to be one.
const enough = 20

func (w *witness) run() {
	for w.err == nil {
		select {
		case <-w.stop:
			return
		default:
		}
		began := time.Now()
		for _, cmd := range []string{"NOOP", "APPEND INBOX {22+}\r\nSubject: x\r\n\r\nwitness\r\n", "STATUS INBOX (MESSAGES)"} {
			r, err := w.c.Do(cmd)
			if err == nil && !r.OK() {
				err = fmt.Errorf("%s %s", r.Status, r.Text)
			}
			if err != nil {
				w.err = fmt.Errorf("%s: %w", strings.Fields(cmd)[0], err)
			}
		}
		if w.n++; w.n == enough || w.err != nil && w.n < enough {
			close(w.seen)
		}
		w.slowest = max(w.slowest, time.Since(began))
		for _, p := range w.s.Processes() {
			w.most = max(w.most, p.RSS()-w.before[p.Pid])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// end ends the watch. The witness must have been answered all the time; how fast
// is for the log, since the machine may be busy with other things.
func (w *witness) end() {
	w.t.Helper()
	<-w.seen
	close(w.stop)
	w.done.Wait()
	if w.err != nil {
		w.t.Errorf("another session meanwhile: %v", w.err)
	}
	if w.most > growth {
		w.t.Errorf("a process grew by %d MB", w.most>>20)
	}
	w.t.Logf("another session: %d rounds, the slowest %v; memory grew by %d MB", w.n, w.slowest.Round(time.Millisecond), w.most>>20)
	w.s.NoPanics()
}

// connect opens a connection and reads the greeting's line.
func connect(t *testing.T, addr string) *rig.Conn {
	t.Helper()
	c, err := rig.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Line(); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	return c
}
