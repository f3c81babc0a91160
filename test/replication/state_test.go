package replication

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A state is all that a server has, by object: "sync user.alice LAST_UID" is a
// field of a mailbox as the replication protocol tells it, "imap bob user/alice
// 3 FLAGS" what bob sees of a message.
type state map[string]string

// put enters a value; an object that is told twice has both.
func (s state) put(value, format string, args ...any) {
	key := fmt.Sprintf(format, args...)
	if was, ok := s[key]; ok {
		value = was + " and " + value
	}
	s[key] = value
}

// take asks a server for all that it has.
func take(t testing.TB, s *site) state {
	t.Helper()
	st := state{}
	names, err := st.admin(s)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	users, shared := divide(names)
	for _, u := range users {
		if err := st.user(s, u); err != nil {
			t.Fatalf("%s: as %s: %v", s.name, u, err)
		}
	}
	if err := st.wire(s, users, shared); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return st
}

// divide tells users from mailboxes that are nobody's, among names as the
// administrator sees them.
func divide(names []string) (users, shared []string) {
	has := map[string]bool{}
	for _, n := range names {
		rest, ok := strings.CutPrefix(n, "user/")
		if !ok {
			if !strings.HasPrefix(n, "DELETED/") {
				shared = append(shared, n)
			}
			continue
		}
		rest, domain, _ := strings.Cut(rest, "@")
		u, _, _ := strings.Cut(rest, "/")
		if domain != "" {
			u += "@" + domain
		}
		has[u] = true
	}
	return slices.Sorted(maps.Keys(has)), shared
}

// A difference that is allowed, and why.
type allowance struct {
	object *regexp.Regexp
	reason string
}

// alike are the differences between two servers in step that say nothing.
var alike = []allowance{
	{regexp.MustCompile(`metadata /shared/vendor/cmu/cyrus-imapd/lastupdate$`), "when this server wrote the mailbox last"},
	{regexp.MustCompile(`^sync quota .* MODSEQ$`), "it follows the use of the root; masters compare and send limits alone"},
}

// unlike are differences between servers of two kinds.
var unlike = []allowance{
	{regexp.MustCompile(`metadata /(shared|private)/vendor/cmu/cyrus-imapd/(noexpire_until|userrawquota)$`), "entries of Cyrus 3.10 that 3.6 does not have"},
}

// compare reports the objects in which two states differ, at most a hundred.
func compare(master, replica state, allowed ...allowance) []string {
	var all []string
	for _, object := range slices.Sorted(maps.Keys(union(master, replica))) {
		a, inA := master[object]
		b, inB := replica[object]
		if a == b && inA == inB || slices.ContainsFunc(allowed, func(w allowance) bool { return w.object.MatchString(object) }) {
			continue
		}
		all = append(all, fmt.Sprintf("%s: master %s, replica %s", object, shown(a, inA), shown(b, inB)))
	}
	if len(all) > 100 {
		all = append(all[:100], fmt.Sprintf("and %d more", len(all)-100))
	}
	return all
}

func union(a, b state) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

func shown(v string, is bool) string {
	if !is {
		return "nothing"
	}
	if len(v) > 300 {
		v = v[:300] + "..."
	}
	return "[" + v + "]"
}

// same fails the test unless both ends of a link have the same, and returns
// what the replica has.
func (l *link) same(when string) (replica state) {
	l.t.Helper()
	master, replica := l.both(when)
	l.report(when, compare(master, replica, l.allowed()...))
	return replica
}

// together is same after a conflict: of a message that is expunged on both sides
// nothing else is brought into step, nor one that has come and gone on a side.
func (l *link) together(when string) {
	l.t.Helper()
	master, replica := l.both(when)
	for _, record := range gone(master, replica) {
		master.forget(record)
		replica.forget(record)
	}
	l.report(when, compare(master, replica, l.allowed()...))
}

// allowed are the differences that say nothing between these two.
func (l *link) allowed() []allowance {
	if l.from.kind == l.to.kind {
		return alike
	}
	all := append(slices.Clone(alike), unlike...)
	if l.from.kind == ours {
		all = append(all, noConversations)
	}
	return all
}

// noConversations is for a real replica of ours.
var noConversations = allowance{regexp.MustCompile(`^sync .* XCONVMODSEQ( of FULLMAILBOX)?$`), "the replica's own, of conversations that the master does not keep"}

func (l *link) both(when string) (master, replica state) {
	l.t.Helper()
	master, replica = take(l.t, l.from), take(l.t, l.to)
	if len(master) == 0 {
		l.t.Fatalf("%s: %s: nothing to compare", l, when)
	}
	return master, replica
}

func (l *link) report(when string, differences []string) {
	l.t.Helper()
	for _, d := range differences {
		l.t.Errorf("%s: %s: %s", l, when, d)
	}
}

// recordFlags is the object that holds the flags of a record.
var recordFlags = regexp.MustCompile(`^(sync .* record \d+) FLAGS$`)

// gone are the records that no side has as a message.
func gone(a, b state) (records []string) {
	for object := range union(a, b) {
		m := recordFlags.FindStringSubmatch(object)
		if m == nil {
			continue
		}
		live := func(s state) bool { flags, is := s[object]; return is && !strings.Contains(flags, `"\\Expunged"`) }
		if !live(a) && !live(b) {
			records = append(records, m[1])
		}
	}
	return records
}

// forget removes all objects of a record.
func (s state) forget(record string) {
	maps.DeleteFunc(s, func(object, _ string) bool { return strings.HasPrefix(object, record+" ") })
}
