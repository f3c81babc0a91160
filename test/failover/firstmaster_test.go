package failover

import (
	"fmt"
	"testing"

	"gocyrus/lib/cyrustest"
)

// The first entry of a node's list of masters is dead: one that refuses, and one that
// does not answer.
func firstMasterRefuses(t *testing.T, p *topology) { firstMasterDead(t, p, links.away) }
func firstMasterSilent(t *testing.T, p *topology)  { firstMasterDead(t, p, links.hold) }

// firstMasterDead is what happens then: the same as with the other alone.
func firstMasterDead(t *testing.T, p *topology, dies func(all links, is bool)) {
	m := p.scene(t, "home1")
	n, first := m.homes[0], m.links["home1"][:1]
	for _, restarted := range []bool{false, true} {
		dies(first, true)
		cmds := []string{"CREATE %s", "SETACL %s zoe lrs", "RENAME %s %[1]sNew", "DELETE %sNew", "CREATE %s"}
		if restarted {
			cmds = cmds[:1]
			if err := n.Stop(); err != nil {
				t.Error(err)
			}
			n.Resume() // which has the list from the other
		}
		box := fmt.Sprintf("INBOX.Box%v", restarted)
		for _, cmd := range cmds {
			n.KillService("imapd") // another process begins at the first of the list
			n.Session("alice").Must(fmt.Sprintf(cmd, box))
		}
		// What others do is heard of.
		m.doors[0].Session("bob").Must("CREATE "+box, "SETACL "+box+" alice lrs")
		m.followed(n) // rights may lag behind
		n.Session("alice").Must("SELECT user.bob."+box[len("INBOX."):], "APPEND "+box+" "+literal(string(cyrustest.Message("kept"))))
		agreed(t, m.Murder)
		dies(first, false)
		m.followed(m.doors...)
		n.Session("alice").Must("CREATE " + box + ".Back")
		agreed(t, m.Murder)
	}
}
