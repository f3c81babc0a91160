package examples

import (
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// TestUnified is a Murder of a master and three nodes, each of which is every user's
// door; then one of them is emptied and stopped.
func TestUnified(t *testing.T) {
	masterIP, ips := machine(t), []string{machine(t), machine(t), machine(t)}
	master := server(t, "unified/master", masterIP, map[string]string{"mupdate.example.org": masterIP})
	master.SetPassword("mupman")
	var nodes []*cyrustest.Server
	var doors []*door
	for i, ip := range ips {
		nodes = append(nodes, node(t, masterIP, ip, ips[(i+1)%3], ips[(i+2)%3]))
		doors = append(doors, newDoor(t, ip, nodes[i].CAFile))
	}

	cyradm(t, nodes[1], doors[1].ip, "createmailbox user/alice "+doors[0].ip+"!default",
		"createmailbox user/bob "+doors[1].ip+"!default", "createmailbox user/carol "+doors[2].ip+"!default")
	for i, user := range []string{"alice", "bob", "carol"} {
		if got := nodes[i].RunTool("", "mbpath", "user/"+user); !strings.HasPrefix(got, nodes[i].Dir) {
			t.Errorf("mbpath user/%s: %q", user, got)
		}
	}
	nodes[0].Deliver(cyrustest.Message("to all"), "alice", "bob", "carol")
	for i, d := range doors {
		d.put("alice", "imaps", "INBOX", "from alice")
		d.has("alice", append([]string{"to all"}, repeated("from alice", i+1)...)...)
		d.has("bob", "to all")
		d.has("carol", "to all")
		d.refused("alice:wrong", "imaps")
		d.refused("alice:wrong", "pop3s")
	}

	// From one node to another, at a third.
	doors[2].ask("bob", "imaps", "/", "-X", "SETACL INBOX alice lrswipte")
	doors[2].ask("alice", "imaps", "/INBOX", "-X", `MOVE 2:4 "Other Users/bob"`)
	doors[1].has("alice", "to all")
	doors[0].has("bob", append([]string{"to all"}, repeated("from alice", 3)...)...)

	// The first node goes.
	if got := nodes[0].RunTool("", "cyr_drain"); strings.Count(got, ": moved to ") != 1 || !strings.HasPrefix(got, "alice: ") {
		t.Errorf("cyr_drain: %q", got)
	}
	if err := nodes[0].Stop(); err != nil {
		t.Error(err)
	}
	for _, d := range doors[1:] {
		d.has("alice", "to all")
	}
}

func repeated(text string, n int) (all []string) {
	for range n {
		all = append(all, text)
	}
	return all
}

// node is one with the accounts of all users and of the other nodes. The files are those of
// the first: which of the others is called second makes no difference.
func node(t *testing.T, masterIP, ip, second, third string) *cyrustest.Server {
	t.Helper()
	s := server(t, "unified/node", ip, map[string]string{
		"mupdate.example.org": masterIP, "node1.example.org": ip, "node2.example.org": second, "node3.example.org": third})
	for _, account := range []string{"murder", "alice", "bob", "carol"} {
		s.SetPassword(account)
	}
	return s
}
