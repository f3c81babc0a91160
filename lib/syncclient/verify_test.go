package syncclient

import (
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	p := newPair(t)
	p.a.fill()
	p.a.must(p.roll())
	c := p.client(nil)
	defer c.Close(ctx)
	c.verifyPause = 0
	everything, err := c.Everything("")
	p.a.must(err)
	if len(everything.Users) != 2 || len(everything.Mailboxes) != 1 {
		t.Fatalf("everything is %+v", everything)
	}
	if found, err := c.Verify(ctx, everything); err != nil || len(found) > 0 {
		t.Fatalf("found %v: %v", found, err)
	}
	// Each of these is found, in the words of the wire.
	p.b.flag("user.alice", 3, "There")
	p.b.must(p.b.Subs.Set(p.b.Ops.User("alice"), "user.alice.x", true))
	p.b.create("user.bob.there")
	p.a.create("user.bob.here")
	p.a.add("shared", "new")
	found, err := c.verifyOnce(ctx, everything)
	p.a.must(err)
	var all []string
	for _, d := range found {
		all = append(all, d.String())
	}
	for _, want := range []string{
		"user.alice: HIGHESTMODSEQ ", "alice: SUB user.alice.x is at the replica alone", "user.bob.there: is at the replica alone",
		"user.bob.here: is not at the replica", "shared: LAST_UID 1 0",
	} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is not found", want)
		}
	}
	if len(found) != 5 {
		t.Errorf("found %d: %q", len(found), all)
	}
	// A repair leaves what is no business of the master.
	left, err := c.Repair(ctx, found)
	if err != nil || len(left) != 1 || left[0].Mailbox != "user.bob.there" {
		t.Errorf("left %v: %v", left, err)
	}
	p.equal("alice", "")
}
