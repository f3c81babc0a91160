package failover

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// claims: two backends have a mailbox of one name. Who has it in the master
// keeps it and serves it alone, and the other's copy becomes a deleted mailbox when
// an administrator says so, not before.
func claims(t *testing.T, p *topology) {
	for _, way := range []struct {
		name string
		both func(t *testing.T, m *scene, be1, be2 *murder.Session)
	}{
		{"one made and one made locally", func(t *testing.T, m *scene, be1, be2 *murder.Session) {
			if p.unified {
				m.links["home2"].away(true) // else it knows of the other, and makes none
			}
			m.doors[0].Session(cyrustest.Admin).Must("CREATE user.dup "+m.homes[0].IP+"!default", "CREATE user.dup.Sub")
			be2.Want(only(p, "NO unable to reserve mailbox on mupdate server", "NO no connection to server"), "CREATE user.dup"+only(p, "", " "+m.homes[1].IP+"!default"))
			be2.Must("LOCALCREATE user.dup", "LOCALCREATE user.dup.Sub")
			m.links["home2"].away(false)
		}},
		{"both made locally while the master is down", func(t *testing.T, m *scene, be1, be2 *murder.Session) {
			for _, s := range m.Masters {
				s.Kill()
			}
			for i, c := range []*murder.Session{be1, be2} {
				c.Want("NO no connection to server", "CREATE user.dup"+only(p, "", " "+m.homes[i].IP+"!default"))
				c.Must("LOCALCREATE user.dup", "LOCALCREATE user.dup.Sub")
			}
			resume(m.Masters)
			m.homes[0].RunTool("", "ctl_mboxlist", "-m")
			m.followed(m.outer...)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			m := p.empty(t, p.options(t), "home2")
			be1, be2 := m.homes[0].Session(cyrustest.Admin), m.homes[1].Session(cyrustest.Admin)
			way.both(t, m, be1, be2)
			claimed(t, p, m, be2)
		})
	}
}

// claimed is what follows where be1 has user.dup, and be2 has another.
func claimed(t *testing.T, p *topology, m *scene, admin2 *murder.Session) {
	t.Helper()
	be1, be2 := m.homes[0], m.homes[1]
	for i, be := range m.homes {
		be.Session("dup").Must(fmt.Sprintf("APPEND INBOX %s", literal(string(cyrustest.Message(fmt.Sprintf("at be%d", i+1))))))
	}
	want := m.Master.Table()
	if len(want) != 2 || !strings.Contains(want[0], " "+be1.Name+"!default ") || !strings.Contains(want[1], " "+be1.Name+"!default ") {
		t.Fatalf("the master has\n%s", strings.Join(want, "\n"))
	}
	same := func(when string) {
		t.Helper()
		if got := m.Master.Table(); !slices.Equal(got, want) {
			t.Errorf("%s the master has\n%s\nand had\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	admin2.Want("NO unable to reserve mailbox on mupdate server", "SETACL user.dup zoe lr", "RENAME user.dup.Sub user.dup.Sub p2")
	same("after SETACL at the other backend")
	inboxes := []string{"at be1"}
	for _, fe := range m.outer {
		inboxes = append(inboxes, "by "+fe.Name)
		answer := fe.Deliver(cyrustest.Message("by "+fe.Name), "dup")
		if !strings.HasPrefix(answer[0], "250") {
			t.Errorf("LMTP: %s", answer)
		}
		fe.Session("dup").Must("SETACL INBOX zoe l", "SETACL INBOX zoe \"\"", "CREATE INBOX.New", "DELETE INBOX.New")
	}
	has(t, be2, "dup", "INBOX", "at be2")
	want = m.Master.Table()

	if out := be1.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
		t.Errorf("be1: ctl_mboxlist -m -w: %s", out)
	}
	c := &claim{m, be1, be2, inboxes, &want, same}
	only(p, c.wiped, c.renamed)(t)
}

// A claim is two servers' for one name, of which the first has it.
type claim struct {
	*scene
	be1, be2 *murder.Seat
	inboxes  []string          // what the first has in the INBOX
	table    *[]string         // what the master has
	same     func(when string) // and is to have still
}

// restarted has what servers push at their start change nothing any more.
func (c *claim) restarted(t *testing.T) {
	t.Helper()
	for _, be := range c.homes {
		if err := be.Stop(); err != nil {
			t.Errorf("%s: %v", be.Name, err)
		}
		be.Resume()
	}
	c.same("after restarts")
}

// served wants clients to find the first's mailboxes.
func (c *claim) served(t *testing.T, doors []*murder.Seat) {
	t.Helper()
	for _, fe := range doors {
		has(t, fe, "dup", "INBOX", c.inboxes...)
	}
}

// renamed is what an administrator does where every server is a frontend, too: what is
// there stays, until the copy gets a name of its own.
func (c *claim) renamed(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"-m", "-w"}, {"-m"}} {
		if out := c.be2.RunTool("", "ctl_mboxlist", args...); out != "" {
			t.Errorf("be2: ctl_mboxlist %v: %s", args, out)
		}
	}
	c.restarted(t)
	c.served(t, c.outer)
	has(t, c.be2, "dup", "INBOX", "at be2")
	c.be2.Session(cyrustest.Admin).Must("RENAME user.dup user.back", "SETACL user.back back lrs")
	agreed(t, c.Murder)
	c.served(t, c.doors)
	has(t, c.outer[0], "back", "INBOX", "at be2")
}

// wiped is what he does else.
func (c *claim) wiped(t *testing.T) {
	t.Helper()
	be2 := c.be2
	const remove = "Remove Local Mailbox: user.dup\nRemove Local Mailbox: user.dup.Sub\n"
	if out := be2.RunTool("", "ctl_mboxlist", "-m", "-w"); out != remove {
		t.Errorf("be2: ctl_mboxlist -m -w: %q", out)
	}
	has(t, be2, "dup", "INBOX", "at be2")
	be2.RunTool("", "ctl_mboxlist", "-m")
	c.same("after ctl_mboxlist -m")
	c.served(t, c.outer)

	// The copy is a deleted mailbox, which the master does not hear of before the next.
	be2.RunTool("", "ctl_mboxlist", "-m")
	agreed(t, c.Murder)
	admin := c.doors[0].Session(cyrustest.Admin)
	var kept []string
	for name := range listed(admin.Ask(`LIST "" DELETED.user.dup.*`)) {
		if !strings.Contains(name, ".New.") && !strings.Contains(name, ".Sub.") {
			kept = append(kept, name)
		}
	}
	if len(kept) != 1 {
		t.Fatalf("deleted mailboxes: %v", kept)
	}
	*c.table = c.Master.Table()
	c.restarted(t)
	// From there it can be had back.
	admin.Must("SETACL "+kept[0]+" cyrus lrxkta", "RENAME "+kept[0]+" user.back", "SETACL user.back back lrs")
	agreed(t, c.Murder)
	has(t, c.doors[1], "back", "INBOX", "at be2")
}
