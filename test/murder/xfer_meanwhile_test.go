package murder

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// TestMoveMeanwhile: what is asked of a user who is about to move is refused for a while,
// and what was acknowledged before is there afterwards, on whichever side.
func TestMoveMeanwhile(t *testing.T) {
	for _, arrives := range []bool{true, false} {
		t.Run(fmt.Sprintf("arrives %v", arrives), func(t *testing.T) {
			x := interrupt(t, murder.Ours)
			x.some("alice")
			x.some("bob")
			x.Settled()
			fe := x.Frontends[0]
			open, writes := x.from.Session("alice"), x.from.Session("alice")
			open.Must("SELECT INBOX")
			writes.Must("SELECT INBOX.Work")

			answer := x.move("alice")
			x.asks(1)
			const message = "Subject: late\r\n\r\n"
			moved := "NO Mailbox has been moved to another server"
			c := x.from.Session("alice")
			c.Want(moved, "SELECT INBOX", "STATUS INBOX.Work (MESSAGES)", fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(message), message),
				"CREATE INBOX.New", "SUBSCRIBE INBOX", "SETACL INBOX.Work bob lr", "DELETE INBOX.Work.Deep", "RENAME INBOX.Work INBOX.Other")
			x.from.Session(cyrustest.Admin).Want(moved, "SETQUOTA user.alice (STORAGE 1000)", "XFER user.alice "+x.to.IP, "MUPDATEPUSH user.alice", "DELETE user.alice")
			x.from.Session("bob").Must("SELECT INBOX", "CREATE INBOX.New")
			answers := x.from.Deliver([]byte("Subject: a\r\n\r\n"), "alice", "bob")
			if !strings.HasPrefix(answers[0], "451 4.2.1 ") || !strings.HasPrefix(answers[1], "250 ") {
				t.Errorf("LMTP at the backend: %q", answers)
			}
			answers = fe.Deliver([]byte("Subject: a\r\n\r\n"), "alice", "bob")
			if !strings.HasPrefix(answers[0], "451 4.") || !strings.HasPrefix(answers[1], "250 ") {
				t.Errorf("LMTP at the frontend: %q", answers)
			}
			if got := x.from.POP3("bob", "STAT"); !strings.HasPrefix(got[0], "+OK 5 ") {
				t.Errorf("POP3: %q", got)
			}
			// It waits for the lock, and finds what there is then.
			tag, err := writes.Start("STORE 1 +FLAGS (\\Answered)")
			if err != nil {
				t.Fatal(err)
			}
			if !arrives {
				x.to.Kill()
			}
			x.flow()
			got := <-answer
			r, err := writes.Await(tag)
			if err != nil {
				t.Fatalf("%v after %v", err, r.Untagged)
			}
			if !arrives {
				x.notMoved(got, "alice")
				return
			}
			if got != "OK Completed" || r.OK() {
				t.Errorf("the move: %s; STORE: %s %s", got, r.Status, r.Text)
			}
			x.Settled()
			open.Want("NO", "FETCH 1 FLAGS")
			x.from.Session("alice").Want("NO", "SELECT INBOX")
			fe.Session("alice").Must("SELECT INBOX", "CREATE INBOX.New")
			if got := fe.Deliver([]byte("Subject: a\r\n\r\n"), "alice")[0]; !strings.HasPrefix(got, "250 ") {
				t.Errorf("LMTP, then: %s", got)
			}
			if got := x.Boxes("alice"); !slices.Equal(got, []string{"be2 user.alice", "be2 user.alice.New", "be2 user.alice.Work", "be2 user.alice.Work.Deep"}) {
				t.Errorf("the master has %q", got)
			}
		})
	}
}

// notMoved finds all of a user where it was.
func (x *interrupted) notMoved(got, user string) {
	x.t.Helper()
	if !strings.HasPrefix(got, "NO ") {
		x.t.Errorf("the move: %s", got)
	}
	x.Eventually("the user to be back", func() bool {
		return slices.Equal(x.Boxes(user), []string{"be1 user." + user, "be1 user." + user + ".Work", "be1 user." + user + ".Work.Deep"})
	})
	c := x.from.Session(user)
	c.Must("SELECT INBOX", "STORE 1 +FLAGS (\\Answered)", "CREATE INBOX.Newer")
}

// Boxes is where the murder has a user's mailboxes.
func (x *interrupted) Boxes(user string) (all []string) {
	for _, line := range x.Master.Table() {
		if f := strings.Fields(line); f[0] == "MAILBOX" && (f[1] == "user."+user || strings.HasPrefix(f[1], "user."+user+".")) {
			server, _, _ := strings.Cut(f[2], "!")
			all = append(all, server+" "+f[1])
		}
	}
	slices.Sort(all)
	return all
}
