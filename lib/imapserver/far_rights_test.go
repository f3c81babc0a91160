package imapserver

import (
	"strings"
	"testing"
)

// TestFarRights: a right that another server has just given is there for the user's next
// command on any: the list is asked for its latest before something is refused by it, once
// for all that a command names.
func TestFarRights(t *testing.T) {
	m := startMurder(t, "")
	admin := login(t, dialer(t, m.backs["be1.example.org"].srv), "cyrus")
	eve := login(t, m.dial, "eve")
	give := func(name, rights string) {
		t.Helper()
		admin.must("SETACL "+name+" eve "+rights, "OK") // of which the frontend has not heard
	}
	admin.must("DELETEACL news anyone", "OK")
	m.follow()
	name := `"Shared Folders/news"`
	eve.must("SELECT "+name, "NO")
	give("news", "lr")
	eve.must("SELECT "+name, "OK")
	eve.must("CLOSE", "OK")
	eve.must("GETACL "+name, "NO")
	give("news", "lra")
	eve.must("GETACL "+name, "OK")
	give("news", `""`)
	m.follow()
	give("news", "lra")
	eve.must("LISTRIGHTS "+name+" eve", "OK")

	admin.must("SETACL news eve \"\"", "OK")
	m.follow()
	for _, command := range []string{`GETMETADATA "Other Users/*" /shared/comment`, "STATUS " + name + " (MESSAGES)"} {
		before := m.kicks.Load()
		eve.ask(command)
		if n := m.kicks.Load() - before; n != 1 {
			t.Errorf("%s: the list was asked %d times", command, n)
		}
	}
	_, tagged := eve.ask("STATUS " + name + " (MESSAGES)")
	if !strings.Contains(tagged, "NO Mailbox does not exist") {
		t.Error(tagged)
	}
}
