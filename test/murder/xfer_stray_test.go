package murder

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// TestMoveOfRemoved: a user who is removed while the mailboxes are copied leaves nothing at
// the other server, where the name is free again at once.
func TestMoveOfRemoved(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %v", killed), func(t *testing.T) {
			x := interrupt(t, murder.Ours)
			x.some("alice")
			answer := x.move("alice")
			x.copied("alice")
			admin := x.from.Session(cyrustest.Admin)
			admin.Must("LOCALDELETE user.alice.Work.Deep", "LOCALDELETE user.alice.Work", "LOCALDELETE user.alice")
			x.from.RunTool("", "ctl_mboxlist", "-m")
			if killed {
				x.from.Kill()
			}
			x.flow()
			got := <-answer
			if strings.HasPrefix(got, "OK") {
				t.Errorf("answer: %q", got)
			}
			if killed {
				x.from.Resume()
			}
			x.nothingAt(x.to, "alice")
			x.to.Session(cyrustest.Admin).Must("CREATE user.alice", "CREATE user.alice.Work")
			x.nothingAt(x.from, "alice")
		})
	}
}

// TestMoveToThird: of a user who went to a third server, since the one that was to have all
// died half way, nothing is left at that one when it is back.
func TestMoveToThird(t *testing.T) {
	x := interrupt(t, murder.Ours, murder.Ours)
	third := x.Backends[2]
	x.some("alice")
	before := stateOf(t, x.from, "alice")
	answer := x.move("alice")
	x.copied("alice")
	x.to.Kill()
	x.flow()
	if got := <-answer; !strings.HasPrefix(got, "NO") {
		t.Fatalf("answer: %q", got)
	}
	c := x.from.Session(cyrustest.Admin)
	x.Eventually("the move to be possible", func() bool {
		r := c.Ask("XFER user.alice %s", third.IP)
		return r.OK()
	})
	x.to.Resume()
	x.nothingAt(x.to, "alice")
	x.whole("alice", third, before)
}

// TestMoveRemembered: a source that was killed when the other server had announced all takes
// up what is left to do, and undoes nothing of what was done there meanwhile.
func TestMoveRemembered(t *testing.T) {
	x := interrupt(t, murder.Ours)
	x.some("alice")
	answer := x.move("alice")
	came := x.peer.HoldAt("MUPDATEPUSH {10+}", true) // the INBOX
	x.await(came)
	x.from.KillService("imapd") // not ctl_mboxlist -m, but who comes next sees to the rest
	x.flow()
	<-answer
	x.Eventually("the INBOX to be there", func() bool { return slices.Contains(x.Boxes("alice"), "be2 user.alice") })
	c := x.to.Session("alice")
	c.Must("RENAME INBOX.Work INBOX.Other", "DELETE INBOX.Other.Deep", "SELECT INBOX.Other", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")
	want := []string{"be2 user.alice", "be2 user.alice.Other"}
	state := stateOf(t, x.to, "alice")
	x.nothingAt(x.from, "alice")
	if got := x.Boxes("alice"); !slices.Equal(got, want) {
		t.Errorf("the master has %q, want %q", got, want)
	}
	same(t, state, stateOf(t, x.to, "alice"))
	x.Frontends[0].Session("alice").Must("SELECT INBOX.Other")
}

// TestLateCopy: what a killed mover had sent and the other server did only when the rest of
// the copy was removed is removed, too; and what is late for a user who has arrived is refused.
func TestLateCopy(t *testing.T) {
	x := interrupt(t, murder.Ours)
	x.some("alice")
	answer := x.move("alice")
	x.copied("alice")
	x.from.KillService("imapd")
	x.flow()
	<-answer
	x.nothingAt(x.to, "alice")
	late := &csync.Mailbox{
		UniqueID: "9a2cbf3e-5b0e-4a7c-8a3b-0d2f5a7b1c9e", Name: "user.alice.Late", HighestModSeq: 7, SyncCRCAnnot: 12345678,
		UIDValidity: 1700000000, Partition: "default", ACL: "alice\tlrswipkxtecdan\t", Options: "P", HasRecords: true,
	}
	send := func(m *csync.Mailbox) *rig.Reply {
		return x.to.Session(murder.XferAdm).Ask("SYNCAPPLY LOCAL_MAILBOX %s", m.Append(nil, csync.FromClient))
	}
	if r := send(late); !r.OK() {
		t.Fatalf("%s %s", r.Status, r.Text)
	}
	if got := liveLines(stateOf(t, x.to, "alice")); len(got) == 0 {
		t.Fatal("nothing came")
	}
	x.nothingAt(x.to, "alice")

	x.from.Session(cyrustest.Admin).Must(fmt.Sprintf("XFER user.alice %s", x.to.IP))
	before := stateOf(t, x.to, "alice")
	status := x.to.Session("alice").Ask("STATUS INBOX.Work (MAILBOXID)")
	id := mailboxID.FindStringSubmatch(status.Untagged[0].Text)
	if id == nil {
		t.Fatalf("%+v", status)
	}
	late.UniqueID, late.Name, late.ACL = id[1], "user.alice.Work", "alice\tlr\t"
	if r := send(late); r.OK() {
		t.Error("a copy was brought of what is there")
	}
	same(t, before, stateOf(t, x.to, "alice"))
}

var mailboxID = regexp.MustCompile(`MAILBOXID \((.+?)\)`)

// copied waits until the copy of a user's last mailbox is at the other server, and stops the
// move there.
func (x *interrupted) copied(user string) {
	x.t.Helper()
	held := x.peer
	came := after(x, held, held.HoldAt("SYNCGET USER", false), func() <-chan struct{} { return held.HoldAt("SYNCGET USER", false) })
	x.await(came)
	x.Eventually("a copy to be there", func() bool { return len(liveLines(stateOf(x.t, x.to, user))) > 0 })
}

// nothingAt waits until a server has nothing of a user: no files either.
func (x *interrupted) nothingAt(s *murder.Seat, user string) {
	x.t.Helper()
	var state []string
	defer func() {
		if x.t.Failed() {
			x.t.Logf("%v has\n%s", s, strings.Join(state, "\n"))
		}
	}()
	x.Eventually(fmt.Sprintf("nothing of %s to be at %v", user, s), func() bool {
		stateOf(x.t, x.from, user) // has an imapd start, which sees to what was left
		state = liveLines(stateOf(x.t, s, user))
		return len(state) == 0
	})
}
