package syncclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
)

// applied are the items of APPLY in what was said.
func applied(said string) (items []string) {
	for _, l := range strings.Split(said, "\n") {
		if rest, ok := strings.CutPrefix(l, "APPLY "); ok {
			item, _, _ := strings.Cut(rest, " ")
			items = append(items, item)
		}
	}
	return items
}

func count(list []string, word string) (n int) {
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}

// fill makes a user with something of everything.
func (h *host) fill() {
	h.create("user.alice", "user.alice.Sent", "user.alice.x", "user.alice.x.y", "user.bob", "shared")
	h.add("user.alice", "one", "two", "three")
	h.add("user.alice.Sent", "four")
	h.flag("user.alice", 2, "$Label", "Other")
	h.expunge("user.alice", 1)
	limits := [quota.NumResources]int64{5000, 100, quota.Unlimited, quota.Unlimited}
	h.must(h.Ops.SetQuota(ctx, admin, "user.alice", limits))
	h.must(h.Subs.Set(h.Ops.User("alice"), "user.alice.Sent", true))
	h.must(h.Seen.For("bob", h.Ops.User("bob").InboxID).Put(h.entry("user.alice").UniqueID, seen.Record{LastRead: 5, LastUID: 3, LastChange: 4, UIDs: "1:2"}))
	h.must(h.Ops.SetACL(ctx, admin, "user.alice", "bob", "lrs"))
}

func TestUser(t *testing.T) {
	for _, tamed := range []bool{false, true} {
		t.Run(fmt.Sprint("tamed ", tamed), func(t *testing.T) {
			p := newPair(t)
			p.tamed = tamed
			p.a.fill()
			p.sync("alice", "bob")
			p.equal("alice", "bob")
			if c := p.client(nil); tamed == mustSession(t, c).c.Ours() {
				t.Error("the replica is not what it should pass for")
			} else {
				c.Close(ctx)
			}
			q, err := p.b.Quota.Get("user.alice")
			if err != nil || q.Limit[0] != 5000 || q.Limit[1] != 100 || q.Limit[2] != quota.Unlimited {
				t.Errorf("quota %v %v", q, err)
			}
			if subs, err := p.b.Subs.List(p.b.Ops.User("alice")); err != nil || len(subs) != 1 || subs[0] != "user.alice.Sent" {
				t.Errorf("subscriptions %v %v", subs, err)
			}
			r, err := p.b.Seen.For("bob", p.b.Ops.User("bob").InboxID).Get(p.a.entry("user.alice").UniqueID)
			if err != nil || r.UIDs != "1:2" || r.LastUID != 3 {
				t.Errorf("seen %v %v", r, err)
			}

			p.said()
			p.sync("alice", "bob")
			if items := applied(p.said()); count(items, "CAPABILITIES") != len(items) {
				t.Errorf("the second time changes something: %v", items)
			}
		})
	}
}

func mustSession(t *testing.T, c *Client) *session {
	t.Helper()
	s, err := c.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWaitsForMessages shows that a replica that is not ours gets a mailbox only when
// it has answered that it has the messages: it dies of one that is not there.
func TestWaitsForMessages(t *testing.T) {
	p := newPair(t)
	p.tamed = true
	p.a.create("user.alice")
	p.a.add("user.alice", "one")
	p.sync("alice")
	said := p.said()
	message, mailbox := strings.Index(said, "APPLY MESSAGE"), strings.Index(said, "APPLY MAILBOX")
	if message < 0 || mailbox < message || !strings.Contains(said[message:mailbox], "OK success") {
		t.Errorf("said:\n%s", said)
	}
}

// TestBodiesOnce shows that what the replica has is not sent: copies within its
// mailboxes, and what this connection has sent.
func TestBodiesOnce(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice", "user.alice.a", "user.alice.b")
	p.a.add("user.alice", "one", "two")
	p.sync("alice")
	p.said()
	p.a.add("user.alice.a", "one", "two") // the same octets: a copy
	p.sync("alice")
	if items := applied(p.said()); count(items, "MESSAGE") != 0 || count(items, "RESERVE") != 1 {
		t.Errorf("a copy: %v", items)
	}
	p.a.add("user.alice.a", "new")
	p.a.add("user.alice.b", "new")
	p.sync("alice")
	if items := applied(p.said()); count(items, "MESSAGE") != 1 {
		t.Errorf("one message in two mailboxes: %v", items)
	}
	p.equal("alice")
}

// TestMessagesFirst shows that a mailbox goes over after its messages, be they those of
// another mailbox whose turn to send has not come yet.
func TestMessagesFirst(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice", "user.alice.a", "user.alice.b")
	p.sync("alice")
	p.a.add("user.alice.a", "new")
	p.a.add("user.alice.b", "new")
	c := p.client(nil)
	defer c.Close(ctx)
	s := mustSession(t, c)

	snap, err := c.snapshot(ctx, p.a.entry("user.alice.b"), nil, nil)
	p.a.must(err)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (&pass{c: c, s: s}).begin(gone, snap, []*chunk{newChunk()}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("sent before its messages: %v", err)
	}

	all, err := c.bytes.take(ctx, c.opt.Bytes)
	p.a.must(err)
	ended := make(chan error, 1)
	go func() { ended <- c.User(ctx, "alice") }()
	until(t, "the message", func() bool {
		c.bytes.mu.Lock()
		defer c.bytes.mu.Unlock()
		return len(c.bytes.wait) == 1
	})
	c.bytes.give(all)
	p.a.must(<-ended)
	p.equal("alice")
}

func TestNames(t *testing.T) {
	p := newPair(t)
	rename := func(from, to mboxname.Name) {
		p.a.must(p.a.Ops.Rename(ctx, admin, from, to, mboxops.RenameParams{}))
	}
	p.a.fill()
	p.a.must(p.roll())
	p.equal("alice", "bob", "")
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"rename", func() { rename("user.alice.Sent", "user.alice.Out") }},
		{"a tree", func() { rename("user.alice.x", "user.alice.z") }},
		{"swap", func() {
			rename("user.alice.Out", "user.alice.t")
			rename("user.alice.z", "user.alice.Out")
			rename("user.alice.t", "user.alice.z")
		}},
		{"to another user", func() { rename("user.alice.Out", "user.bob.Out") }},
		{"delete with delay", func() { p.a.must(p.a.Ops.Delete(ctx, admin, "user.alice.z", mboxops.DeleteParams{})) }},
		{"delete at once", func() {
			for _, n := range []mboxname.Name{"user.bob.Out.y", "user.bob.Out"} {
				p.a.must(p.a.Ops.Delete(ctx, admin, n, mboxops.DeleteParams{Now: true}))
			}
		}},
		{"delete and make again", func() {
			p.a.create("user.bob.n")
			p.a.add("user.bob.n", "old")
			p.a.must(p.roll())
			p.a.must(p.a.Ops.Delete(ctx, admin, "user.bob.n", mboxops.DeleteParams{Now: true}))
			p.a.create("user.bob.n")
			p.a.add("user.bob.n", "new")
		}},
		{"another partition", func() {
			p.a.must(p.a.Ops.Rename(ctx, admin, "shared", "shared", mboxops.RenameParams{Partition: "second"}))
		}},
		{"delete a user", func() { p.a.must(p.a.Ops.Delete(ctx, admin, "user.bob", mboxops.DeleteParams{})) }},
	} {
		step.do()
		if err := p.roll(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		p.equal("alice", "bob", "")
		if t.Failed() {
			t.Fatalf("after: %s", step.name)
		}
	}
}

// TestNotHere shows that a user who is nobody here loses nothing there.
func TestNotHere(t *testing.T) {
	p := newPair(t)
	p.b.create("user.carl")
	p.b.add("user.carl", "one")
	p.sync("carl")
	if got := p.b.texts("user.carl"); len(got) != 1 {
		t.Errorf("the replica has %q", got)
	}
	// Nor does a mailbox that only the replica has.
	p.a.create("user.alice")
	p.sync("alice")
	p.b.create("user.alice.there")
	p.sync("alice")
	p.b.entry("user.alice.there")
}

// TestDamaged shows that a message that cannot be read holds up its mailbox alone, and
// is never announced to a replica.
func TestDamaged(t *testing.T) {
	for _, tamed := range []bool{false, true} {
		p := newPair(t)
		p.tamed = tamed
		p.a.create("user.alice", "user.alice.a", "user.alice.b")
		p.a.add("user.alice.a", "lost")
		p.a.add("user.alice.b", "kept")
		m, err := p.a.Mailboxes.Open(ctx, p.a.entry("user.alice.a"))
		p.a.must(err)
		p.a.must(os.Remove(m.Path("data") + "/1."))
		m.Close()
		err = p.with(func(c *Client) error { return c.User(ctx, "alice") })
		if !errors.Is(err, errUnsent) {
			t.Errorf("tamed %v: %v", tamed, err)
		}
		if tamed && strings.Contains(p.said(), "MBOXNAME user.alice.a ") {
			t.Error("a mailbox was sent whose message is missing")
		}
		if got := p.b.texts("user.alice.b"); len(got) != 1 {
			t.Errorf("tamed %v: the mailbox beside it has %q", tamed, got)
		}
	}
}

// TestPartition shows -p.
func TestPartition(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice")
	p.a.add("user.alice", "one")
	p.sync("alice")
	err := p.with(func(c *Client) error { return c.User(ctx, "alice") }, func(o *Options) { o.Partition = "second" })
	p.a.must(err)
	if e := p.b.entry("user.alice"); e.Partition != "second" {
		t.Errorf("it is on %s", e.Partition)
	}
}

// TestNoCopyBack shows that with -O this side is left alone and wins.
func TestNoCopyBack(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice")
	p.a.add("user.alice", "one")
	p.sync("alice")
	p.b.flag("user.alice", 1, "There", "More")
	p.a.flag("user.alice", 1, "Here")
	before := p.a.dump("alice")
	err := p.with(func(c *Client) error { return c.User(ctx, "alice") }, func(o *Options) { o.NoCopyBack = true })
	if err != nil && !errors.Is(err, csync.ErrChecksum) {
		t.Errorf("%v", err)
	}
	if p.a.dump("alice") != before {
		t.Error("this side was changed")
	}
}

// TestPurged has the master forget expunged messages before the replica hears of them.
func TestPurged(t *testing.T) {
	p := newPair(t)
	p.a.create("user.alice")
	p.a.add("user.alice", "one", "two", "three")
	p.sync("alice")
	p.a.expunge("user.alice", 2)
	m, err := p.a.Mailboxes.Open(ctx, p.a.entry("user.alice"))
	p.a.must(err)
	p.a.update("user.alice", func(tx *mailbox.Tx) error { return unlink(tx, 2) })
	p.a.must(m.Repack(ctx))
	m.Close()
	p.sync("alice")
	if said := p.said(); !strings.Contains(said, "GET FULLMAILBOX user.alice") || !strings.Contains(said, "APPLY EXPUNGE") {
		t.Errorf("said:\n%s", said)
	}
	if got := p.b.texts("user.alice"); len(got) != 2 {
		t.Errorf("the replica has %q", got)
	}
	p.equal("alice")
}

// TestParts has a mailbox go over in parts: the replica has what came before when the
// connection breaks, and in the end all of it.
func TestParts(t *testing.T) {
	for _, tamed := range []bool{false, true} {
		p := newPair(t)
		p.tamed = tamed
		p.a.create("user.alice")
		for i := range 20 {
			p.a.add("user.alice", fmt.Sprint("text ", i))
		}
		p.a.flag("user.alice", 2, "Late")
		p.a.expunge("user.alice", 18)
		parts := func(o *Options) { o.BatchSize, o.ConnectOnce = 4, true }
		p.cutAfter(1100)
		if err := p.with(func(c *Client) error { return c.User(ctx, "alice") }, parts); err == nil {
			t.Fatal("no connection broke")
		}
		p.cutAfter(0)
		if got := len(p.b.texts("user.alice")); got == 0 || got > 18 {
			t.Errorf("tamed %v: the replica has %d messages", tamed, got)
		}
		p.said()
		p.a.must(p.with(func(c *Client) error { return c.User(ctx, "alice") }, parts))
		p.equal("alice")
		if n := count(applied(p.said()), "MAILBOX"); n < 2 {
			t.Errorf("tamed %v: %d parts", tamed, n)
		}
	}
}
