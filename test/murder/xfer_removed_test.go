package murder

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// TestMoveRemoved: a user who was removed at the other server, after it had announced all and
// before the source, which was killed, could remove what it had, does not come back with that
// one. Nobody else can know that it is not a loss of both: the source keeps it as deleted.
func TestMoveRemoved(t *testing.T) {
	for _, mode := range []string{"delayed", "immediate"} {
		t.Run(mode, func(t *testing.T) {
			x := interrupt(t, murder.Ours)
			x.some("alice")
			answer := x.move("alice")
			x.await(x.peer.HoldAt("MUPDATEPUSH {10+}", true)) // the INBOX
			x.from.Kill()
			x.flow()
			<-answer
			x.Eventually("the INBOX to be there", func() bool { return slices.Contains(x.Boxes("alice"), "be2 user.alice") })
			admin := x.to.Session(cyrustest.Admin)
			admin.Must("SETACL user.alice cyrus lrswipkxtecda", "DELETE user.alice")
			if mode == "immediate" {
				for _, b := range x.Boxes("alice") {
					if name, ok := strings.CutPrefix(b, "be2 DELETED."); ok {
						admin.Must("DELETE DELETED." + name)
					}
				}
			}
			x.from.Resume()
			x.nothingAt(x.from, "alice")
			x.nothingAt(x.to, "alice")
			x.Eventually("the source to keep it as deleted", func() bool {
				return slices.ContainsFunc(stateOf(t, x.from, "alice"), func(l string) bool { return strings.HasPrefix(l, "DELETED.user.alice.") })
			})
			if live := slices.DeleteFunc(x.Boxes("alice"), func(l string) bool { return strings.Contains(l, "DELETED.") }); len(live) > 0 {
				t.Errorf("the murder has %q", live)
			}
		})
	}
}

// TestMoveReaders: who reads a shared mailbox by a right of anyone or of a group has it as
// read after a move as before.
func TestMoveReaders(t *testing.T) {
	x := interrupt(t, murder.Ours)
	admin := x.from.Session(cyrustest.Admin)
	admin.Must("CREATE news", "SETACL news anyone lrsp", "SETACL news cyrus lrswipkxte")
	for n := range 3 {
		text := fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", n)
		admin.Must(fmt.Sprintf("APPEND news {%d+}\r\n%s", len(text), text))
	}
	readers := []string{"bob", "carol", "dan"}
	for n, user := range readers {
		x.from.Session(user).Must("SELECT news", fmt.Sprintf("FETCH 1:%d BODY[]", n+1), "CLOSE", "LOGOUT")
	}
	admin.Must("XFER news " + x.to.IP)
	for n, user := range readers {
		r := x.to.Session(user).Ask("STATUS news (UNSEEN)")
		if want := fmt.Sprintf("UNSEEN %d", 2-n); !r.OK() || len(r.Untagged) == 0 || !strings.Contains(r.Untagged[0].Text, want) {
			t.Errorf("%s: %+v, want %s", user, r, want)
		}
	}
}
