package replication

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// A split is a way in which both sides have changed while they were apart.
type split struct {
	name string
	// options of both servers.
	options []string
	// master and replica are what happens on each side to the INBOX of alice,
	// which has the messages base-1 to base-5 on both.
	master, replica func(s *side)
	// want are the subjects that both sides have in the end, each once, in any
	// order.
	want []string
	// look, when there is one, sees to more than that.
	look func(t *testing.T, l *link)
}

var base = []string{"base-1", "base-2", "base-3", "base-4", "base-5"}

func with(more ...string) []string { return append(slices.Clone(base), more...) }

func without(gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(base), func(s string) bool { return slices.Contains(gone, s) })
}

// A side is alice's INBOX on one server.
type side struct{ *actor }

func (s *side) add(subject string) {
	s.do("alice", "APPEND INBOX "+literal(string(cyrustest.Message(subject))))
}

func (s *side) flag(commands ...string) {
	s.do("alice", "SELECT INBOX")
	for _, c := range commands {
		s.do("alice", "UID STORE "+c)
	}
	s.do("alice", "UNSELECT")
}

func (s *side) expunge(uids string) {
	s.do("alice", "SELECT INBOX", "UID STORE "+uids+` +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE "+uids, "UNSELECT")
}

// often changes a flag there and back, so that the modseq becomes high.
func (s *side) often(uid string) {
	for range 5 {
		s.flag(uid+` +FLAGS (\Flagged)`, uid+` -FLAGS (\Flagged)`)
	}
}

func nothing(*side) {}

var atOnce = []string{"expunge_mode: immediate"}

// splits are the rows of the table of conflicts.
var splits = []split{
	{name: "replica's modseq is higher", master: nothing, replica: func(s *side) { s.often("2"); s.flag(`2 +FLAGS (\Answered)`) }, want: base},
	{name: "replica's uidvalidity is higher", master: func(s *side) { s.add("m") }, replica: func(s *side) {
		s.on.nextSecond()
		s.admin("RENAME user/alice user/elsewhere", "RENAME user/elsewhere user/alice")
	}, want: with("m")},
	{name: "expunged on both", master: func(s *side) { s.expunge("2") }, replica: func(s *side) { s.often("2"); s.expunge("2") }, want: without("base-2")},
	{name: "one UID, two messages", master: func(s *side) { s.add("m1"); s.add("m2") }, replica: func(s *side) { s.add("r1"); s.add("r2"); s.often("1") },
		want: with("m1", "m2", "r1", "r2")},
	{name: "flags newer on the replica", master: func(s *side) { s.flag(`3 +FLAGS (\Flagged)`) }, replica: func(s *side) {
		s.on.nextSecond()
		s.often("3")
		s.flag(`3 +FLAGS (\Answered there)`)
	}, want: base, look: flagsOf(3, `\Answered there`)},
	{name: "flags newer on the master", master: func(s *side) { s.often("3"); s.flag(`3 +FLAGS (\Answered here)`) }, replica: func(s *side) { s.flag(`3 +FLAGS (\Flagged)`) },
		want: base, look: flagsOf(3, `\Answered here`)},
	{name: "expunged on the master, flagged on the replica", master: func(s *side) { s.expunge("4") }, replica: func(s *side) { s.often("4") }, want: without("base-4")},
	{name: "expunged on the replica, flagged on the master", master: func(s *side) { s.flag(`4 +FLAGS (\Flagged)`) }, replica: func(s *side) { s.expunge("4") }, want: without("base-4")},
	{name: "only on the master, below the replica's last UID", options: atOnce, master: func(s *side) { s.add("m") }, replica: func(s *side) {
		s.add("r1")
		s.add("r2")
		s.expunge("6")
	}, want: with("m", "r2")},
	{name: "only on the master, of a low modseq", master: func(s *side) { s.add("m") }, replica: func(s *side) { s.often("1") }, want: with("m")},
	{name: "only on the replica, expunged", master: func(s *side) { s.add("m") }, replica: func(s *side) {
		s.add("r")
		s.expunge("6")
		s.often("1")
	}, want: with("m")},
	{name: "only on the replica, above the master's last UID", master: func(s *side) { s.flag(`1 +FLAGS (\Flagged)`) }, replica: func(s *side) { s.add("r1"); s.add("r2") },
		want: with("r1", "r2")},
	{name: "only on the replica, purged on the master", options: atOnce, master: func(s *side) { s.expunge("2:3") }, replica: nothing, want: without("base-2", "base-3")},
	{name: "only on the replica, below the master's last UID", options: atOnce, master: func(s *side) {
		s.add("m1")
		s.add("m2")
		s.expunge("6")
	}, replica: func(s *side) { s.add("r"); s.often("6"); s.often("6") }, want: with("m2", "r")},
	{name: "one flag there, one message here", master: func(s *side) { s.add("m") }, replica: func(s *side) { s.flag(`1 +FLAGS (\Flagged)`) }, want: with("m")},
	{name: "mailbox annotations newer on the replica", master: func(s *side) { s.do("alice", `SETMETADATA INBOX (/shared/comment "here")`) },
		replica: func(s *side) { s.do("alice", `SETMETADATA INBOX (/shared/comment "there")`); s.often("1") }, want: base, look: comment("there")},
	{name: "mailbox annotations newer on the master", master: func(s *side) { s.do("alice", `SETMETADATA INBOX (/shared/comment "here")`); s.often("1") },
		replica: func(s *side) { s.do("alice", `SETMETADATA INBOX (/shared/comment "there")`) }, want: base, look: comment("here")},
	{name: "message annotations", master: func(s *side) {
		s.do("alice", "SELECT INBOX", `UID STORE 1 ANNOTATION (/comment (value.priv "here"))`, "UNSELECT")
	}, replica: func(s *side) {
		s.do("alice", "SELECT INBOX", `UID STORE 2 ANNOTATION (/comment (value.priv "there"))`, "UNSELECT")
		s.often("2")
	}, want: base},
	{name: "all at once", master: func(s *side) {
		s.add("m1")
		s.add("m2")
		s.flag(`1:2 +FLAGS (\Flagged)`)
		s.expunge("5")
	}, replica: func(s *side) {
		s.add("r1")
		s.expunge("4")
		s.flag(`2:3 +FLAGS (\Answered)`)
		s.often("1")
	}, want: append(without("base-4", "base-5"), "m1", "m2", "r1")},
}

// flagsOf looks for flags of a message on the master, from where they go to the
// replica.
func flagsOf(uid int, flags string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		got := take(t, l.from)[fmt.Sprintf("imap alice INBOX %d FLAGS", uid)]
		for _, f := range strings.Fields(flags) {
			if !slices.Contains(strings.Fields(got), f) {
				t.Errorf("UID %d has %s, not %s", uid, got, f)
			}
		}
	}
}

func comment(want string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		if got := take(t, l.from)["admin user/alice metadata /shared/comment"]; got != want {
			t.Errorf("comment %q, want %q", got, want)
		}
	}
}

// After both sides have changed, they come together by the rules, and no
// message that either has is lost.
func TestSplitBrain(t *testing.T) {
	for _, p := range kindPairs {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			t.Parallel()
			sides := map[string]*link{}
			for _, sp := range splits {
				key := strings.Join(sp.options, ",")
				if sides[key] == nil {
					sides[key] = newLink(newSite(t, p[0], "master", sp.options...), newSite(t, p[1], "replica", sp.options...))
				}
				t.Run(sp.name, func(t *testing.T) { sp.test(t, sides[key].with(t)) })
			}
		})
	}
}

// test runs on servers where others may have run before.
func (sp *split) test(t *testing.T, l *link) {
	here, there := &side{newActor(t, l.from)}, &side{newActor(t, l.to)}
	t.Cleanup(func() {
		for _, s := range []*side{here, there} {
			s.leave()
			s.on.RunTool("", "sync_reset", "-f", "alice")
		}
	})
	here.admin("CREATE user/alice")
	for _, subject := range base {
		here.add(subject)
	}
	here.leave()
	l.must("-u", "alice")
	l.same("before")
	sp.master(here)
	here.leave()
	sp.replica(there)
	there.leave()
	l.reconcile("alice")
	l.together("after")
	for _, s := range []*site{l.from, l.to} {
		if got := subjects(t, s, "alice"); !slices.Equal(got, slices.Sorted(slices.Values(sp.want))) {
			t.Errorf("%s has %q, want %q", s.name, got, sp.want)
		}
	}
	if sp.look != nil {
		sp.look(t, l)
	}
}

// reconcile replicates a user until sync_client has no more to say against it.
// A first run may find that the replica must be looked at anew.
func (l *link) reconcile(user string) {
	l.t.Helper()
	var out string
	var status int
	for range 3 {
		if out, status = l.run("-u", user); status == 0 {
			return
		}
	}
	l.t.Fatalf("%s: sync_client -u %s: status %d\n%s", l, user, status, out)
}

// subjects are the subjects of the messages in a user's INBOX, sorted.
func subjects(t *testing.T, s *site, user string) []string {
	t.Helper()
	c, err := rig.Login(s.IMAP, user)
	if err != nil {
		t.Fatal(err)
	}
	defer bye(c)
	var all []string
	for _, cmd := range []string{"EXAMINE INBOX", "UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"} {
		r, err := ok(c, cmd)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range r.Untagged {
			for _, lit := range u.Literals {
				all = append(all, strings.TrimSpace(strings.TrimPrefix(string(lit), "Subject:")))
			}
		}
	}
	slices.Sort(all)
	return all
}

// Mailboxes of one name that are not the same one: an empty one on the replica
// gives way, one with messages does not, and nothing is lost. What only the
// replica has is not touched.
func TestSplitNames(t *testing.T) {
	for _, p := range kindPairs {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			t.Parallel()
			l := newLink(newSite(t, p[0], "master"), newSite(t, p[1], "replica"))
			here, there := newActor(t, l.from), newActor(t, l.to)
			here.admin("CREATE user/alice", "CREATE user/bob")
			here.append("bob", "INBOX", "", 2)
			here.leave()
			l.must("-u", "alice")
			here.do("alice", "CREATE INBOX/empty", "CREATE INBOX/full")
			here.append("alice", "INBOX/empty", "", 2)
			here.leave()
			there.do("alice", "CREATE INBOX/empty", "CREATE INBOX/there")
			there.append("alice", "INBOX/there", "", 1)
			there.leave()
			l.must("-u", "alice")
			l.to.has(t, "alice", "INBOX/empty", 2)
			l.to.has(t, "alice", "INBOX/there", 1)

			there.admin("CREATE user/bob")
			there.append("bob", "INBOX", "", 3)
			there.leave()
			if out, status := l.run("-u", "bob"); status == 0 {
				t.Errorf("no error for a mailbox that is another one\n%s", out)
			}
			l.from.has(t, "bob", "INBOX", 2)
			l.to.has(t, "bob", "INBOX", 3)
		})
	}
}

// has fails the test unless a mailbox has n messages.
func (s *site) has(t *testing.T, user, mailbox string, n int) {
	t.Helper()
	c := s.Login(user)
	defer c.Close()
	box, err := c.Select(mailbox, nil).Wait()
	if err != nil {
		t.Fatalf("%s: %s: %v", s.name, mailbox, err)
	}
	if int(box.NumMessages) != n {
		t.Errorf("%s: %s of %s has %d messages, want %d", s.name, mailbox, user, box.NumMessages, n)
	}
}
