package syncclient

import (
	"time"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
)

// Times between two tries of what keeps failing.
const (
	retryFirst = 5 * time.Second
	retryMost  = 20 * time.Minute
)

// patience remembers what keeps failing, so that it is left in peace for a while: it
// stays in the log, and the rest of the log goes on. The key is the line.
type patience struct {
	now   func() time.Time
	fails map[synclog.Line]*failure
	// busy says that an earlier batch still works on a user; empty is the shared
	// mailboxes.
	busy func(user string) bool
}

type failure struct {
	wait time.Duration
	due  time.Time
}

func newPatience() *patience {
	return &patience{now: time.Now, busy: func(string) bool { return false }, fails: make(map[synclog.Line]*failure)}
}

// failed notes that something failed again; the next try is at the time it returns.
func (p *patience) failed(l synclog.Line) time.Time {
	f := p.fails[l]
	if f == nil {
		f = &failure{wait: retryFirst}
		p.fails[l] = f
	} else {
		f.wait = min(f.wait*2, retryMost)
	}
	f.due = p.now().Add(f.wait)
	return f.due
}

// resting says whether something is not to be tried yet.
func (p *patience) resting(l synclog.Line) bool {
	f := p.fails[l]
	return f != nil && p.now().Before(f.due)
}

// settle forgets what a batch has tried and what did not fail again.
func (p *patience) settle(tried, failed []synclog.Line) {
	again := make(map[synclog.Line]bool, len(failed))
	for _, l := range failed {
		again[l] = true
	}
	for _, l := range tried {
		if !again[l] {
			delete(p.fails, l)
		}
	}
	for l := range again {
		p.failed(l)
	}
}

// sift takes out of a batch what is not to be tried yet; rest is the lines for it. What
// belongs to a user who rests, rests with the user.
func (p *patience) sift(b *synclog.Batch) (rest []synclog.Line) {
	s := sieve{p: p, users: make(map[string]bool)}
	b.Cohorts = keep(b.Cohorts, s.cohort)
	b.Quotas = keep(b.Quotas, func(q *string) bool {
		n := mboxname.Name(*q)
		return s.item(n.Owner(), synclog.Quota(n))
	})
	b.Annotations = keep(b.Annotations, func(n *mboxname.Name) bool { return s.item(n.Owner(), synclog.Annotation(*n)) })
	b.Seen = keep(b.Seen, func(i *synclog.SeenItem) bool { return s.item(i.User, synclog.Seen(i.User, i.UniqueID)) })
	b.Subs = keep(b.Subs, func(i *synclog.SubItem) bool { return s.item(i.User, synclog.Sub(i.User, i.Name)) })
	b.Unmailboxes = keep(b.Unmailboxes, func(n *mboxname.Name) bool { return s.item(n.Owner(), synclog.Unmailbox(*n)) })
	b.Metas = keep(b.Metas, func(u *string) bool { return s.item(*u, synclog.Meta(*u)) })
	b.Users = keep(b.Users, func(u *string) bool { return s.item(*u, synclog.User(*u)) })
	b.Unusers = keep(b.Unusers, func(u *string) bool { return s.item(*u, synclog.Unuser(*u)) })
	return s.rest
}

// sieve is one sifting.
type sieve struct {
	p     *patience
	users map[string]bool // whose line is in rest
	rest  []synclog.Line
}

// item says whether something of a user, empty for none, is to be tried.
func (s *sieve) item(user string, l synclog.Line) bool {
	switch {
	case s.p.busy(user), s.p.resting(l):
		s.rest = append(s.rest, l)
		return false
	case user != "" && l != synclog.Unuser(user) && s.p.resting(synclog.User(user)):
		if !s.users[user] {
			s.users[user] = true
			s.rest = append(s.rest, synclog.User(user))
		}
		return false
	}
	return true
}

// cohort takes out the mailboxes that are not to be tried, and says whether any are.
func (s *sieve) cohort(c *synclog.Cohort) bool {
	c.Mailboxes = keep(c.Mailboxes, func(n *mboxname.Name) bool { return s.item(n.Owner(), synclog.Mailbox(*n)) })
	return len(c.Mailboxes) > 0
}

func keep[T any](list []T, wanted func(*T) bool) []T {
	var kept []T
	for i := range list {
		if wanted(&list[i]) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// linesOf are the lines that stand for what a batch tries as a whole.
func linesOf(b *synclog.Batch) (lines []synclog.Line) {
	for _, c := range b.Cohorts {
		for _, n := range c.Mailboxes {
			if n.Owner() == "" {
				lines = append(lines, synclog.Mailbox(n))
			}
		}
		if c.User != "" {
			lines = append(lines, synclog.User(c.User))
		}
	}
	for _, q := range b.Quotas {
		lines = append(lines, synclog.Quota(mboxname.Name(q)))
	}
	for _, n := range b.Annotations {
		lines = append(lines, synclog.Annotation(n))
	}
	for _, n := range b.Unmailboxes {
		lines = append(lines, synclog.Unmailbox(n))
	}
	for _, u := range b.Users {
		lines = append(lines, synclog.User(u))
	}
	for _, u := range b.Unusers {
		lines = append(lines, synclog.Unuser(u))
	}
	return lines
}
