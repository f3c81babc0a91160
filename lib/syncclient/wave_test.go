package syncclient

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSlow shows that a user who takes long holds up nobody else, and stays in the log
// until done.
func TestSlow(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice", "user.bob")
	c := p.client(nil)
	defer c.Close(ctx)
	c.goesOn, c.slowAfter = true, time.Millisecond
	patience := newPatience()
	patience.busy = c.slow.busy
	round := func() {
		t.Helper()
		if _, err := c.round(ctx, patience); err != nil {
			t.Fatal(err)
		}
	}
	// What makes alice slow is that somebody else has her lock.
	other := userLocks{layout: p.a.Layout, host: c.locks.host}
	release, err := other.take(ctx, "alice")
	p.a.must(err)
	round()
	if !c.slow.busy("alice") || !strings.Contains(p.a.logged(), "MAILBOX user.alice\n") {
		t.Fatalf("slow: %v; log: %q", c.slow.users, p.a.logged())
	}
	p.a.add("user.bob", "one")
	until(t, "the other user", func() bool {
		round()
		e, err := p.b.List.Lookup("user.bob")
		return err == nil && !e.Deleted() && slices.Equal(p.b.texts("user.bob"), []string{"one"})
	})
	if !c.slow.busy("alice") || !strings.Contains(p.a.logged(), "MAILBOX user.alice\n") {
		t.Errorf("slow: %v; log: %q", c.slow.users, p.a.logged())
	}
	release()
	c.slow.idle.Wait()
	p.equal("alice", "bob")
	until(t, "the end of the log", func() bool {
		round()
		return p.a.logged() == ""
	})
}
