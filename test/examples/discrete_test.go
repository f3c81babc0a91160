package examples

import (
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// TestDiscrete is a Murder of a master, two backends and a frontend, seen from the
// frontend alone.
func TestDiscrete(t *testing.T) {
	masterIP, ip1, ip2, frontIP := machine(t), machine(t), machine(t), machine(t)
	master := server(t, "discrete/master", masterIP, map[string]string{"mupdate.example.org": masterIP})
	master.SetPassword("mupman")
	be1, be2 := backend(t, masterIP, ip1), backend(t, masterIP, ip2)
	front := server(t, "discrete/frontend", frontIP, map[string]string{
		"mupdate.example.org": masterIP, "be1.example.org": ip1, "be2.example.org": ip2, "fe.example.org": frontIP})
	for _, user := range []string{"alice", "bob"} {
		front.SetPassword(user)
	}
	d := newDoor(t, frontIP, front.CAFile)

	cyradm(t, front, frontIP, "createmailbox user/alice "+ip1+"!default", "createmailbox user/bob "+ip2+"!default")
	for user, s := range map[string]*cyrustest.Server{"alice": be1, "bob": be2} {
		if got := s.RunTool("", "mbpath", "user/"+user); !strings.HasPrefix(got, s.Dir) {
			t.Errorf("mbpath user/%s: %q", user, got)
		}
	}
	front.Deliver(cyrustest.Message("to both"), "alice", "bob")
	d.put("alice", "imaps", "INBOX", "from alice")
	d.put("bob", "imap", "INBOX", "from bob")
	d.has("alice", "to both", "from alice")
	d.has("bob", "to both", "from bob")
	d.refused("alice:wrong", "imaps")
	d.refused("alice:wrong", "pop3s")

	// From one backend to the other.
	d.ask("bob", "imaps", "/", "-X", "SETACL INBOX alice lrswipte")
	d.ask("alice", "imaps", "/INBOX", "-X", `MOVE 2 "Other Users/bob"`)
	d.has("alice", "to both")
	d.has("bob", "to both", "from bob", "from alice")

	// Without a server, one of serverlist takes it.
	cyradm(t, front, frontIP, "createmailbox user/carol")
	front.SetPassword("carol")
	front.Deliver(cyrustest.Message("to carol"), "carol")
	d.has("carol", "to carol")
}

// backend is one with the frontends' account.
func backend(t *testing.T, masterIP, ip string) *cyrustest.Server {
	t.Helper()
	s := server(t, "discrete/backend", ip, map[string]string{"mupdate.example.org": masterIP, "be1.example.org": ip})
	s.SetPassword("murder")
	return s
}
