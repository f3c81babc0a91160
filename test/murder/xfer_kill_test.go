package murder

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/relaytest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// interrupted is a Murder in which a move is stopped where it is: all that the two
// backends say to each other and to the master goes through relays.
type interrupted struct {
	*murder.Murder
	t        *testing.T
	from, to *murder.Seat
	masters  map[string]*relaytest.Relay // by seat: the way to the master
	peer     *relaytest.Relay            // the way from one backend to the other
	raised   bool                        // modseqs of folders may have been: they were deleted and came back
}

func interrupt(t *testing.T, to murder.Kind, others ...murder.Kind) *interrupted {
	x := &interrupted{t: t, masters: map[string]*relaytest.Relay{}}
	x.Murder = murder.New(t, murder.Options{
		Backends: append([]murder.Kind{murder.Ours, to}, others...), Frontends: []murder.Kind{murder.Ours}, Tolerate: cyrustest.AfterCrash,
		Imapd: map[string][]string{"": {"allowusermoves: yes", "mupdate_retry_delay: 1"}},
		Through: func(seat, master string) string {
			x.masters[seat] = relaytest.New(t, master)
			return x.masters[seat].Addr()
		},
	})
	x.from, x.to = x.Backends[0], x.Backends[1]
	x.peer = relaytest.New(t, x.to.IP+":143")
	return x
}

// flow lets everything through again.
func (x *interrupted) flow() {
	x.peer.Away(false)
	x.peer.Hold(false)
	for _, r := range x.masters {
		r.Hold(false)
	}
}

// A stop is where a move can be stopped.
type stop struct {
	name    string
	reach   func(x *interrupted) // returns when the move is there
	decided bool                 // from there on it goes forward
}

// after says that the next place is to be set up while something is held, which goes on
// then.
func after(x *interrupted, held *relaytest.Relay, came <-chan struct{}, next func() <-chan struct{}) <-chan struct{} {
	x.await(came)
	again := next()
	held.Hold(false)
	return again
}

func (x *interrupted) await(came <-chan struct{}) {
	x.t.Helper()
	x.Eventually("the move to come to the place", func() bool {
		select {
		case <-came:
			return true
		default:
			return false
		}
	})
}

func (x *interrupted) asks(n int) {
	master := x.masters["be1"]
	came := after(x, master, master.HoldAt("DEACTIVATE", true), func() <-chan struct{} { return x.peer.HoldAt("SYNCGET USER", false) })
	for ; n > 1; n-- {
		came = after(x, x.peer, came, func() <-chan struct{} { return x.peer.HoldAt("SYNCGET USER", false) })
	}
	x.await(came)
}

var stops = []stop{
	{"first pass", func(x *interrupted) { x.await(x.peer.HoldAt("SYNCAPPLY LOCAL_MAILBOX", false)) }, false},
	{"departure", func(x *interrupted) { x.await(x.masters["be1"].HoldAt("DEACTIVATE", false)) }, false},
	{"departed", func(x *interrupted) { x.await(x.masters["be1"].HoldAt("DEACTIVATE", true)) }, false},
	{"final pass", func(x *interrupted) { x.asks(1) }, false},
	{"comparison", func(x *interrupted) { x.asks(2) }, false},
	{"announcement", func(x *interrupted) { x.await(x.peer.HoldAt("MUPDATEPUSH", false)) }, true},
	{"announced", func(x *interrupted) { x.await(x.masters["be2"].HoldAt("ACTIVATE", true)) }, true},
	{"heard", func(x *interrupted) { x.await(x.peer.HoldAt("MUPDATEPUSH", true)) }, true},
}

// accidents are what happens there.
var accidents = []struct {
	name         string
	does, mended func(x *interrupted)
}{
	{"imapd of the source is killed", func(x *interrupted) { x.from.KillService("imapd") }, func(*interrupted) {}},
	{"the source is killed", func(x *interrupted) { x.from.Kill() }, func(x *interrupted) { x.from.Resume() }},
	{"the destination is killed", func(x *interrupted) { x.to.Kill() }, func(x *interrupted) { x.to.Resume() }},
	{"the master is killed", func(x *interrupted) { x.Master.Kill() }, func(x *interrupted) { x.Master.Resume() }},
	{"the way is cut", func(x *interrupted) { x.peer.Away(true) }, func(*interrupted) {}},
}

// TestMoveInterrupted stops a move at each step, has an accident happen, and finds that
// afterwards, without an administrator, the user is whole at one server and nowhere else.
func TestMoveInterrupted(t *testing.T) {
	x := interrupt(t, murder.Ours)
	for i, p := range stops {
		for j, a := range accidents {
			t.Run(p.name+", "+a.name, func(t *testing.T) {
				x := *x
				x.t = t
				user := fmt.Sprintf("u%d%d", i, j)
				x.some(user)
				before := stateOf(t, x.from, user)
				answer := x.move(user)
				p.reach(&x)
				a.does(&x)
				x.flow()
				a.mended(&x)
				// A master that comes back in time stops nothing.
				got, at := <-answer, x.from
				if p.decided || strings.HasPrefix(got, "OK") || strings.HasPrefix(got, "NO Everything is on that server") {
					at = x.to
				}
				t.Logf("answer: %q", got)
				x.whole(user, at, before)
			})
		}
	}
}

// TestMoveToCyrusInterrupted kills a destination of Cyrus's, whose ctl_mboxlist -m, when it
// starts again, removes what the murder has reserved for us: then all of it is back here,
// or it is sent once more.
func TestMoveToCyrusInterrupted(t *testing.T) {
	x := interrupt(t, murder.Real)
	for i, p := range stops {
		t.Run(p.name, func(t *testing.T) {
			x := *x
			x.t = t
			user := fmt.Sprintf("c%d", i)
			x.some(user)
			before := stateOf(t, x.from, user)
			answer := x.move(user)
			p.reach(&x)
			x.to.Kill()
			x.flow()
			x.to.Resume()
			got := <-answer
			x.Eventually("the move to be over", func() bool {
				stateOf(t, x.from, user) // has an imapd of ours start, which sees to it
				all := x.Boxes(user)
				return len(all) == 3 && all[0][:4] == all[1][:4] && all[0][:4] == all[2][:4]
			})
			at := x.from
			if strings.HasPrefix(x.Boxes(user)[0], "be2 ") {
				at = x.to
			}
			t.Logf("answer: %q; it is at %v", got, at)
			x.raised = at == x.to
			if strings.HasPrefix(got, "OK") && at != x.to {
				t.Errorf("the answer was %s", got)
			}
			x.whole(user, at, before)
		})
	}
}

// some makes a user with some mail, at the source.
func (x *interrupted) some(user string) {
	x.t.Helper()
	admin := x.from.Session(cyrustest.Admin)
	admin.Must("CREATE user."+user, "CREATE user."+user+".Work", "CREATE user."+user+".Work.Deep")
	c := x.from.Session(user)
	for n := range 3 {
		text := fmt.Sprintf("Subject: %d\r\n\r\nof %s\r\n", n, user)
		c.Must(fmt.Sprintf("APPEND INBOX (\\Flagged) {%d+}\r\n%s", len(text), text))
	}
	c.Must("SELECT INBOX", "COPY 1:2 INBOX.Work", "SUBSCRIBE INBOX.Work", "LOGOUT")
	admin.Must("LOGOUT")
}

// move has the source move a user; the answer comes later, "" when the source is lost.
func (x *interrupted) move(user string) <-chan string {
	answer := make(chan string, 1)
	c, err := rig.Login(x.from.Server.IMAP, cyrustest.Admin)
	if err != nil {
		x.t.Fatal(err)
	}
	go func() {
		defer c.Close()
		r, err := c.Do("XFER user." + user + " " + x.peer.Addr())
		if err != nil {
			answer <- ""
			return
		}
		answer <- r.Status + " " + r.Text
	}()
	return answer
}

// whole waits until the murder has all of a user at one server, and finds there what
// there was, and elsewhere nothing.
func (x *interrupted) whole(user string, at *murder.Seat, before []string) {
	x.t.Helper()
	other := x.from
	if at == x.from {
		other = x.to
	}
	why := ""
	defer func() {
		if why != "" {
			x.t.Log(why)
		}
	}()
	x.Eventually(fmt.Sprintf("%s to be whole at %v", user, at), func() bool {
		// Whoever is asked starts, and sees to what was left.
		rest := liveLines(stateOf(x.t, other, user))
		have := stateOf(x.t, at, user)
		names := slices.DeleteFunc(x.Master.Table(), func(l string) bool { return !strings.Contains(l, "user."+user) })
		wrong := slices.ContainsFunc(names, func(l string) bool {
			return !strings.HasPrefix(l, "MAILBOX") || !strings.Contains(l, " "+at.Name+"!")
		})
		why = ""
		if wrong || len(names) != 3 || len(rest) > 0 || !slices.Equal(x.plain(have), x.plain(before)) {
			why = fmt.Sprintf("the master has\n%s\n%v has\n%s\nand %v\n%s", strings.Join(names, "\n"), at,
				strings.Join(have, "\n"), other, strings.Join(rest, "\n"))
		}
		return why == ""
	})
}

// folderModSeqs are numbers that a folder that is renamed raises.
var folderModSeqs = regexp.MustCompile(`(HIGHESTMODSEQ|FOLDERMODSEQ) \d+`)

// plain is a state without what may differ.
func (x *interrupted) plain(state []string) []string {
	if !x.raised {
		return state
	}
	var all []string
	for _, l := range state {
		all = append(all, folderModSeqs.ReplaceAllString(l, "$1"))
	}
	return all
}

// liveLines are the lines about mailboxes that are not deleted.
func liveLines(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "DELETED.") || !strings.HasPrefix(l, "user.") })
}
