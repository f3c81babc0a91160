package syncclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/csync"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/synclog"
)

// logged is the text of the log of the default channel, "" without one.
func (h *host) logged() string {
	b, err := os.ReadFile(filepath.Join(h.dir, "conf", "sync", "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return string(b)
}

// TestCuts breaks connections after any number of octets: what was being replicated is
// done in the end, and nothing twice.
func TestCuts(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice", "user.alice.a", "user.bob")
	p.a.must(p.roll())
	step := int64(150)
	if testing.Short() {
		step = 900
	}
	broken := 0
	for n, i := int64(50), 0; n < 3600; n, i = n+step, i+1 {
		p.a.add("user.alice", fmt.Sprint("alice ", i))
		p.a.add("user.alice.a", fmt.Sprint("a ", i), fmt.Sprint("alice ", i))
		p.a.add("user.bob", fmt.Sprint("bob ", i))
		p.a.flag("user.bob", 1, fmt.Sprint("flag", i))
		p.cutAfter(n)
		o := func(o *Options) { o.ConnectOnce = true }
		if err := p.roll(o); err != nil {
			broken++
			if !errors.Is(err, ErrBroken) && !errors.Is(err, ErrConnect) {
				t.Errorf("cut after %d: %v", n, err)
			}
		}
		p.cutAfter(0)
		p.a.must(p.roll())
		p.equal("alice", "bob")
		if t.Failed() {
			t.Fatalf("cut after %d octets", n)
		}
	}
	if broken == 0 {
		t.Error("no connection broke")
	}
}

// apart makes a mailbox on both sides that is not the same, which no client can mend.
func (p *pair) apart(user string) {
	for _, h := range []*host{p.a, p.b} {
		h.create("user.bob", "user.alice", "user.alice.a")
		h.add("user.alice", "in "+h.dir)
	}
	p.b.must(p.b.Ops.Delete(ctx, admin, "user.bob", mboxops.DeleteParams{Now: true}))
}

// TestIsolated shows that what keeps failing stays in the log, is tried again later
// and later, and does not hold up the rest.
func TestIsolated(t *testing.T) {
	p := newPair(t)
	p.apart("alice")
	p.a.add("user.bob", "one")
	c := p.client(nil)
	defer c.Close(ctx)
	mustSession(t, c)
	patience := newPatience()
	now := time.Unix(1e9, 0)
	patience.now = func() time.Time { return now }
	round := func() {
		t.Helper()
		if _, err := c.round(ctx, patience); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.a.logged(), "USER alice\n") {
			t.Errorf("the log is %q", p.a.logged())
		}
	}
	round()
	p.equal("bob")
	p.said()

	p.a.add("user.bob", "two")
	p.a.add("user.alice", "more")
	round()
	p.equal("bob")
	if said := p.said(); strings.Contains(said, "alice") {
		t.Errorf("it was tried again at once:\n%s", said)
	}

	now = now.Add(retryFirst)
	round()
	if said := p.said(); !strings.Contains(said, "GET USER alice") {
		t.Errorf("it was not tried again:\n%s", said)
	}
	now = now.Add(retryFirst)
	round()
	if said := p.said(); strings.Contains(said, "alice") {
		t.Errorf("it was tried again as soon as the first time:\n%s", said)
	}

	// An administrator mends it.
	p.b.must(p.b.Ops.Delete(ctx, admin, "user.alice", mboxops.DeleteParams{Now: true}))
	now = now.Add(retryMost)
	if _, err := c.round(ctx, patience); err != nil {
		t.Fatal(err)
	}
	p.equal("alice", "bob")
	if len(patience.fails) > 0 || p.a.logged() != "" {
		t.Errorf("left: %v, %q", patience.fails, p.a.logged())
	}
}

func TestDeferred(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice", "user.bob")
	o := p.options()
	other := userLocks{layout: p.a.Layout, host: o.Dial.Addr}
	release, err := other.take(ctx, "alice")
	p.a.must(err)
	p.a.must(p.roll(func(o *Options) { o.NoWait = true }))
	p.equal("bob")
	if got := p.a.logged(); got != "MAILBOX user.alice\n" {
		t.Errorf("the log is %q", got)
	}
	release()
	p.a.must(p.roll())
	p.equal("alice", "bob")
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !fn(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: does not come", what)
		}
	}
}

func TestRolling(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice")
	file := filepath.Join(p.a.dir, "shutdown")
	c := p.client(nil, func(o *Options) { o.ShutdownFile = file })
	defer c.Close(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Rolling(ctx) }()
	there := func(n int) func() bool {
		return func() bool {
			e, err := p.b.List.Lookup("user.alice")
			return err == nil && !e.Deleted() && len(p.b.texts("user.alice")) == n
		}
	}
	until(t, "the mailbox", there(0))
	for i := range 5 {
		p.a.add("user.alice", fmt.Sprint(i))
		until(t, "a message", there(i+1))
	}
	if pid := runningPID(filepath.Join(p.a.dir, "conf", "sync", pidFile)); pid != os.Getpid() {
		t.Errorf("process %d is at work; this is %d", pid, os.Getpid())
	}
	if err := p.with(func(c *Client) error { return c.Once(ctx) }); !errors.Is(err, lock.ErrBusy) {
		t.Errorf("another: %v", err)
	}
	// The connection goes, and comes again.
	p.breakAll()
	p.a.add("user.alice", "after")
	until(t, "a message after the connection broke", there(6))

	p.a.must(os.WriteFile(file, nil, 0o600))
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the shutdown file: %v", err)
	}
	p.equal("alice")
	if pid := runningPID(filepath.Join(p.a.dir, "conf", "sync", pidFile)); pid != 0 {
		t.Errorf("process %d is at work", pid)
	}
}

// TestStop shows that a signal while the replica is away ends the wait.
func TestStop(t *testing.T) {
	p := newPair(t)
	stop := make(chan struct{})
	r := &listener{}
	o := p.options()
	dials := make(chan struct{}, 10)
	c, err := New(p.a.Site, o, func(context.Context) (*csync.Client, error) {
		dials <- struct{}{}
		return nil, errors.New("nobody there")
	}, stop, r)
	p.a.must(err)
	defer c.Close(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Rolling(ctx) }()
	<-dials
	until(t, "the complaint", func() bool { return len(r.lines()) > 0 })
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want := "Can not connect to server '" + o.Dial.Addr + "', retrying in 15 seconds"
	if got := r.lines(); !slices.Equal(got, []string{want}) {
		t.Errorf("said %q; want %q", got, want)
	}
}

// listener is a Reporter that keeps what it hears.
type listener struct {
	silent
	mu  sync.Mutex
	all []string
}

func (l *listener) Complain(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *listener) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// TestCache shows that what the replica was brought to is remembered, and that a memory
// that is wrong does no harm.
func TestCache(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "cache.db")} {
		p := newPair(t)
		p.a.create("user.alice")
		o := func(o *Options) { o.UseCache, o.CachePath = true, path }
		c := p.client(nil, o)
		defer func() { c.Close(ctx) }()
		roll := func() string {
			t.Helper()
			p.said()
			if _, err := c.round(ctx, newPatience()); err != nil {
				t.Fatal(err)
			}
			p.equal("alice")
			return p.said()
		}
		roll()
		if path != "" {
			// It outlives the process.
			c.Close(ctx)
			c = p.client(nil, o)
		}
		p.a.add("user.alice", "one")
		if said := roll(); strings.Contains(said, "GET ") {
			t.Errorf("cache %q: the replica was asked:\n%s", path, said)
		}
		p.b.flag("user.alice", 1, "Changed")
		p.a.add("user.alice", "two")
		if said := roll(); !strings.Contains(said, "NO IMAP_SYNC_CHANGED") {
			t.Errorf("cache %q: the replica noticed nothing:\n%s", path, said)
		}
	}
}

// TestRunEverything works off a batch of all kinds of things, there and not there.
func TestRunEverything(t *testing.T) {
	p := newPair(t)
	p.a.fill()
	b := &synclog.Batch{
		Cohorts:     []synclog.Cohort{{User: "", Mailboxes: nil}},
		Quotas:      []string{"user.alice", "user.nobody"},
		Seen:        []synclog.SeenItem{{User: "bob", UniqueID: p.a.entry("user.alice").UniqueID}, {User: "bob", UniqueID: "none"}},
		Subs:        []synclog.SubItem{{User: "alice", Name: "user.alice.Sent"}, {User: "alice", Name: "user.alice.none"}},
		Metas:       []string{"bob"},
		Users:       []string{"alice", "nobody"},
		Unusers:     []string{"bob", "gone"},
		Unmailboxes: nil,
	}
	b.Cohorts[0].Mailboxes = append(b.Cohorts[0].Mailboxes, "shared", "nothing")
	var left Left
	err := p.with(func(c *Client) (err error) {
		left, err = c.Run(ctx, b)
		return err
	})
	if err != nil || len(left.Deferred)+len(left.Failed) > 0 {
		t.Errorf("left %v: %v", left, err)
	}
	p.equal("alice", "")
}
