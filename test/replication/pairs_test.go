package replication

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kindPairs are the kinds of master and replica. Two real ones show that the tests
// ask for nothing that Cyrus does not do.
var kindPairs = [][2]kind{{real, real}, {ours, ours}, {ours, real}, {real, ours}}

// A way is how a master's sync_client is told what to do.
type way struct {
	name    string
	rolling bool
	options []string
	sync    func(l *link) // brings the replica into step
}

var ways = []way{
	{"by hand", false, nil, byHand},
	{"all", false, nil, func(l *link) { l.must("-A") }},
	{"rolling", true, nil, (*link).drain},
	{"rolling and removing at once", true, []string{"delete_mode: immediate", "expunge_mode: immediate"}, (*link).drain},
	{"rolling with conversations", true, []string{"conversations: yes"}, (*link).drain},
}

// full says that after each change of each way all is compared, and not only
// now and then.
var full = os.Getenv("GOCYRUS_REPLICATION") == "full"

// seldom is how many changes lie between two comparisons where the way is not
// the one that most sites use.
const seldom = 5

// byHand names every user and every shared mailbox.
func byHand(l *link) {
	l.t.Helper()
	users, shared := divide(l.from.mailboxes())
	if len(users) > 0 {
		l.must(append([]string{"-u"}, users...)...)
	}
	if len(shared) > 0 {
		l.must(append([]string{"-m"}, shared...)...)
	}
}

// mailboxes are the names that the administrator sees.
func (s *site) mailboxes() []string {
	s.t.Helper()
	names, err := state{}.admin(s)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return names
}

// Every kind of change arrives, in every way, between every pair of servers.
func TestPairs(t *testing.T) {
	for _, p := range kindPairs {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					testPair(t, p[0], p[1], w)
				})
			}
		})
	}
}

func testPair(t *testing.T, from, to kind, w way) {
	l := newLink(newSite(t, from, "master", w.options...), newSite(t, to, "replica", w.options...))
	var done []change
	for _, c := range changes {
		if slices.Contains(c.logged, from) && !w.rolling || c.master != "" && c.master != from {
			continue
		}
		done = append(done, c)
	}
	for i, c := range done {
		look := full || w.name == "rolling" || i%seldom == 0 || i == len(done)-1
		good := t.Run(c.name, func(t *testing.T) { c.test(l.with(t), w, look) })
		if !good && os.Getenv("GOCYRUS_GOON") == "" {
			return
		}
	}
}

// test makes the change and replicates it; look says whether to compare then.
func (c *change) test(l *link, w way, look bool) {
	a := newActor(l.t, l.from)
	a.settle = func() { w.sync(l) }
	c.make(a)
	a.leave()
	log := l.saveLog()
	w.sync(l)
	mend := func() {
		if c.mend != nil && l.to.kind == real {
			l.must(c.mend...)
		}
	}
	mend()
	if !look {
		return
	}
	replica := l.same(c.name)
	if w.rolling {
		l.again(log, replica, mend)
	}
}

// saveLog copies the sync log, to run it again.
func (l *link) saveLog() string {
	l.t.Helper()
	text, err := os.ReadFile(l.logFile())
	if err != nil {
		l.t.Fatalf("%s: nothing was logged: %v", l.from.name, err)
	}
	path := l.from.Path("saved-log")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		l.t.Fatal(err)
	}
	l.from.give(path)
	return path
}

// asks are commands that change nothing: questions, and what opens and ends
// sessions and their parts.
var asks = regexp.MustCompile(`^(GET .*|RESTART|EXIT|NOOP|AUTHENTICATE .*|APPLY CAPABILITIES .*)$`)

// says are commands by which a master tells what it has without asking first,
// once for a line of the log.
var says = regexp.MustCompile(`^APPLY (LOCAL_)?(UNUSER|UNMAILBOX|QUOTA|UNQUOTA|SEEN|SUB|UNSUB|MAILBOX %\(UNIQUEID \S+ MBOXNAME \S+ MBOXTYPE [a-z]*i) .*$`)

// again runs a log that was run before. It sends no change and makes none to
// what the replica had.
func (l *link) again(log string, before state, mend func()) {
	l.t.Helper()
	l.Record()
	l.must("-R", "-1", "-f", log)
	for line := range bytes.Lines(l.Sent()) {
		if line := strings.TrimRight(string(line), "\r\n"); !asks.MatchString(line) && !says.MatchString(line) {
			l.t.Errorf("%s: the same log again: sent %.200s", l, line)
		}
	}
	mend()
	for _, d := range compare(before, take(l.t, l.to), alike...) {
		l.t.Errorf("%s: the same log again: replica's %s", l, d)
	}
}

// A planted difference of any sort is found: else all of the above shows
// nothing.
func TestComparator(t *testing.T) {
	kinds := []kind{ours, real}
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) { testComparator(t, k) })
	}
}

func testComparator(t *testing.T, k kind) {
	s := newSite(t, k, "master")
	a := newActor(t, s)
	makeUsers(a)
	a.do("alice", "CREATE INBOX/Sent")
	a.append("alice", "INBOX", `(\Flagged)`, 3)
	a.do("alice", "SETACL INBOX bob lrs")
	a.append("alice", "shared", "", 2)
	for _, p := range planted {
		a.leave()
		before := take(t, s)
		for _, d := range compare(before, take(t, s), alike...) {
			t.Errorf("asked twice: %s", d)
		}
		p.plant(a)
		a.leave()
		found := compare(before, take(t, s), alike...)
		if !slices.ContainsFunc(found, func(d string) bool { return strings.HasPrefix(d, p.object) }) {
			t.Errorf("%s: not found; found %q", p.object, found)
		}
	}
}

// planted are changes and an object in which each must be seen.
var planted = []struct {
	object string
	plant  func(a *actor)
}{
	{`imap alice INBOX 1 FLAGS`, func(a *actor) { a.do("alice", "SELECT INBOX", `STORE 1 -FLAGS (\Flagged)`) }},
	{`sync user.alice record 1 LAST_UPDATED`, func(a *actor) {
		a.on.nextSecond()
		a.do("alice", "SELECT INBOX", `STORE 1 +FLAGS (\Flagged)`)
	}},
	{`imap alice INBOX 4 BODY[]`, func(a *actor) { a.append("alice", "INBOX", "", 1) }},
	{`sync user.alice record 4 FLAGS`, func(a *actor) { a.do("alice", "SELECT INBOX", `STORE 4 +FLAGS (\Deleted)`, "EXPUNGE") }},
	{`sync user.alice record 2 ANNOTATIONS`, func(a *actor) {
		a.do("alice", "SELECT INBOX", `UID STORE 2 ANNOTATION (/comment (value.priv "note"))`)
	}},
	{`admin user/alice metadata /shared/comment`, func(a *actor) { a.do("alice", `SETMETADATA INBOX (/shared/comment "x")`) }},
	{`imap alice INBOX metadata /private/comment`, func(a *actor) { a.do("alice", `SETMETADATA INBOX (/private/comment "x")`) }},
	{`imap bob user/alice 1 FLAGS`, func(a *actor) { a.do("bob", "SELECT user/alice", `STORE 1 +FLAGS (\Seen)`) }},
	{`sync seen of bob`, func(a *actor) { a.do("bob", "SELECT user/alice", `STORE 2 +FLAGS (\Seen)`) }},
	{`imap alice LSUB INBOX/Sent`, func(a *actor) { a.do("alice", "SUBSCRIBE INBOX/Sent") }},
	{`admin user/alice ACL`, func(a *actor) { a.do("alice", "SETACL INBOX carol l") }},
	{`sync quota user.alice LIMIT`, func(a *actor) { a.admin("SETQUOTA user/alice (STORAGE 1000)") }},
	{`sync user.alice.Sent UIDVALIDITY`, func(a *actor) {
		a.on.nextSecond()
		a.do("alice", "DELETE INBOX/Sent", "CREATE INBOX/Sent")
	}},
	{`sync server annotation /comment`, func(a *actor) { a.do("alice", `SETMETADATA "" (/private/comment "x")`) }},
	{`sync shared LAST_UID`, func(a *actor) { a.append("alice", "shared", "", 1) }},
	{`sync shared record 1 FLAGS`, func(a *actor) { a.do("alice", "SELECT shared", `STORE 1 +FLAGS (\Flagged)`) }},
}

func (s *site) String() string { return fmt.Sprintf("%s (%s)", s.name, s.kind) }
