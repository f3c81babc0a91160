package syncclient

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
)

func TestPatience(t *testing.T) {
	p := newPatience()
	now := time.Unix(1e9, 0)
	p.now = func() time.Time { return now }
	l := synclog.User("alice")
	for wait := retryFirst; wait < retryMost; wait *= 2 {
		if due := p.failed(l); due != now.Add(wait) {
			t.Fatalf("due in %v; want %v", due.Sub(now), wait)
		}
		now = now.Add(wait - 1)
		if !p.resting(l) {
			t.Fatal("it does not rest")
		}
		now = now.Add(1)
		if p.resting(l) {
			t.Fatal("it rests too long")
		}
	}
	if due := p.failed(l); due != now.Add(retryMost) {
		t.Errorf("due in %v; want %v", due.Sub(now), retryMost)
	}
	p.settle([]synclog.Line{l}, nil)
	if p.resting(l) || len(p.fails) > 0 {
		t.Error("what was done is not forgotten")
	}
}

// words are lines in order, without ends.
func words(lines []synclog.Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, strings.TrimSpace(string(l)))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

func TestSift(t *testing.T) {
	whole := func() *synclog.Batch {
		return &synclog.Batch{
			Cohorts: []synclog.Cohort{{User: "alice", Mailboxes: []mboxname.Name{"user.alice", "user.bob.x"}},
				{User: "bob", Mailboxes: []mboxname.Name{"user.bob"}}, {User: "", Mailboxes: []mboxname.Name{"a", "b"}}},
			Quotas:      []string{"user.alice", "user.bob"},
			Annotations: []mboxname.Name{""},
			Seen:        []synclog.SeenItem{{User: "alice", UniqueID: "id"}, {User: "bob", UniqueID: "id"}},
			Subs:        []synclog.SubItem{{User: "alice", Name: "a"}},
			Unmailboxes: []mboxname.Name{"user.alice.x", "user.bob.y"},
			Metas:       []string{"alice", "bob"},
			Users:       []string{"alice", "bob"},
			Unusers:     []string{"carl"},
		}
	}
	for _, tc := range []struct {
		name    string
		resting []synclog.Line
		busy    string // "-" is nobody
		rest    string
		cohorts int
		users   []string
	}{
		{"all", nil, "-", "", 3, []string{"alice", "bob"}},
		{"a user rests", []synclog.Line{synclog.User("alice")}, "-", "USER alice", 3, []string{"bob"}},
		{"a shared mailbox rests", []synclog.Line{synclog.Mailbox("a")}, "-", "MAILBOX a", 3, []string{"alice", "bob"}},
		{"all shared mailboxes rest", []synclog.Line{synclog.Mailbox("a"), synclog.Mailbox("b")}, "-", "MAILBOX a, MAILBOX b", 2, []string{"alice", "bob"}},
		{"an end rests", []synclog.Line{synclog.Unuser("carl")}, "-", "UNUSER carl", 3, []string{"alice", "bob"}},
		{"a user is busy", nil, "bob",
			"MAILBOX user.bob, MAILBOX user.bob.x, META bob, QUOTA user.bob, SEEN bob id, UNMAILBOX user.bob.y, USER bob", 2, []string{"alice"}},
		{"the shared ones are busy", nil, "", `ANNOTATION "", MAILBOX a, MAILBOX b`, 2, []string{"alice", "bob"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPatience()
			p.busy = func(u string) bool { return u == tc.busy }
			for _, l := range tc.resting {
				p.failed(l)
			}
			b := whole()
			if got := words(p.sift(b)); got != tc.rest {
				t.Errorf("rest: %s\nwant: %s", got, tc.rest)
			}
			if len(b.Cohorts) != tc.cohorts || !slices.Equal(b.Users, tc.users) {
				t.Errorf("left: %v, %v", b.Cohorts, b.Users)
			}
		})
	}
}
