package failover

import (
	"context"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
)

// mastersKilledWhileMoving kills all masters while a user is on the way from one server
// to another: mail waits, before and afterwards, and is not refused as that of nobody.
func mastersKilledWhileMoving(t *testing.T, p *topology) {
	m := p.scene(t)
	inbox := mupdate.Entry{Name: "user.alice"}
	all, err := m.Master.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Name == inbox.Name {
			inbox = e
		}
	}
	tell := func(say func(context.Context, *mupdate.Client) error) {
		t.Helper()
		err := mupdate.Do(t.Context(), m.Master.Mupdate(), func(c *mupdate.Client) error { return say(t.Context(), c) })
		if err != nil {
			t.Fatal(err)
		}
		m.followed(m.doors...)
	}
	deliver := func(when, want string) {
		t.Helper()
		for _, fe := range m.outer {
			if got := fe.Deliver(cyrustest.Message(when+", by "+fe.Name), "alice")[0]; !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s: %q, want %s", when, fe.Name, got, want)
			}
		}
	}
	tell(func(ctx context.Context, c *mupdate.Client) error {
		return c.Deactivate(ctx, inbox.Name, inbox.Location)
	})
	deliver("moving", "451 4.2.1 ")
	for _, s := range m.Masters {
		s.Kill()
	}
	resume(m.Masters)
	m.followed(m.doors...)
	deliver("moving, with masters that were killed", "451 4.2.1 ")
	tell(func(ctx context.Context, c *mupdate.Client) error {
		return c.Activate(ctx, inbox.Name, inbox.Location, inbox.ACL)
	})
	deliver("there", "250 ")
	agreed(t, m.Murder)
}
