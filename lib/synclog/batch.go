package synclog

import (
	"io"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
)

// Batch is what a log names, each thing once, without what a bigger one covers. It is
// worked off in the order of its fields.
type Batch struct {
	Cohorts     []Cohort
	Quotas      []string
	Annotations []mboxname.Name // empty is the server
	Seen        []SeenItem
	Subs        []SubItem
	Unmailboxes []mboxname.Name
	Metas       []string
	Users       []string
	Unusers     []string
}

// Cohort is mailboxes that are worked on together: a user's, with those of others
// that messages were copied to or that were renamed from or to them; or all shared
// ones, when User is empty.
type Cohort struct {
	User      string
	Mailboxes []mboxname.Name
}

// SeenItem is a user's seen record of a mailbox.
type SeenItem struct{ User, UniqueID string }

// SubItem is a subscription that began or ended.
type SubItem struct {
	User string
	Name mboxname.Name
}

// Empty says that there is nothing to do.
func (b *Batch) Empty() bool {
	return len(b.Cohorts) == 0 && len(b.Quotas) == 0 && len(b.Annotations) == 0 && len(b.Seen) == 0 &&
		len(b.Subs) == 0 && len(b.Unmailboxes) == 0 && len(b.Metas) == 0 && len(b.Users) == 0 && len(b.Unusers) == 0
}

// set is a list without doubles.
type set[T comparable] struct {
	list []T
	has  map[T]struct{}
}

func (s *set[T]) add(v T) {
	if _, ok := s.has[v]; ok {
		return
	}
	if s.has == nil {
		s.has = map[T]struct{}{}
	}
	s.has[v] = struct{}{}
	s.list = append(s.list, v)
}

// without is the list without what covered says.
func (s *set[T]) without(covered func(T) bool) []T {
	var list []T
	for _, v := range s.list {
		if !covered(v) {
			list = append(list, v)
		}
	}
	return list
}

// builder makes a batch of entries.
type builder struct {
	cohorts                     map[string]*set[mboxname.Name]
	order                       []string // of the users of cohorts
	unmailboxes, annotations    set[mboxname.Name]
	quotas, metas, users, gones set[string]
	seen                        set[SeenItem]
	subs                        set[SubItem]
}

func read(r io.Reader) (*Batch, error) {
	b := builder{cohorts: map[string]*set[mboxname.Name]{}}
	if err := scan(r, b.add); err != nil {
		return nil, err
	}
	return b.batch(), nil
}

func (b *builder) add(e entry) {
	a, c := mboxname.Name(e.arg[0]), mboxname.Name(e.arg[1])
	switch e.word {
	case "APPEND", "MAILBOX", "DOUBLEMAILBOX":
		if b.named(e, 1) {
			b.cohort(a.Owner(), a, c)
		}
	case "RENAME":
		if b.named(e, 2) {
			// Each owner's cohort finds the mailbox whether it comes or goes.
			b.cohort(a.Owner(), a, c)
			b.cohort(c.Owner(), a, c)
		}
	case "UNMAILBOX":
		if b.named(e, 1) {
			b.unmailboxes.add(a)
		}
	case "ANNOTATION":
		b.annotations.add(a)
	case "SEEN":
		if b.named(e, 2) {
			b.seen.add(SeenItem{e.arg[0], e.arg[1]})
		}
	case "SUB", "UNSUB":
		if b.named(e, 2) {
			b.subs.add(SubItem{e.arg[0], c})
		}
	default:
		b.addWhole(e)
	}
}

// addWhole is add of what is not about a mailbox.
func (b *builder) addWhole(e entry) {
	var to *set[string]
	switch e.word {
	case "USER":
		to = &b.users
	case "UNUSER":
		to = &b.gones
	case "META", "SIEVE":
		to = &b.metas
	case "QUOTA":
		to = &b.quotas
	default:
		log.Err("Unknown action type: %s", e.word)
		return
	}
	if b.named(e, 1) {
		to.add(e.arg[0])
	}
}

// named says whether an entry has the arguments it needs.
func (b *builder) named(e entry, n int) bool {
	for _, a := range e.arg[:n] {
		if a == "" {
			log.Err("Missing mailbox name: %s", e.word)
			return false
		}
	}
	return true
}

func (b *builder) cohort(user string, names ...mboxname.Name) {
	s := b.cohorts[user]
	if s == nil {
		s = &set[mboxname.Name]{}
		b.cohorts[user] = s
		b.order = append(b.order, user)
	}
	for _, n := range names {
		if n != "" {
			s.add(n)
		}
	}
}

// batch leaves out what is covered: a user's seen state, subscriptions and scripts
// by the user, and all of these by the user's end. Mailboxes are not: the user's
// come after, and find nothing left to do.
func (b *builder) batch() *Batch {
	in := func(s *set[string], user string) bool { _, ok := s.has[user]; return ok }
	whole := func(user string) bool { return in(&b.users, user) || in(&b.gones, user) }
	state := func(user string) bool { return whole(user) || in(&b.metas, user) }
	all := &Batch{
		Quotas: b.quotas.list, Annotations: b.annotations.list, Unmailboxes: b.unmailboxes.list, Unusers: b.gones.list,
		Seen:  b.seen.without(func(s SeenItem) bool { return state(s.User) }),
		Subs:  b.subs.without(func(s SubItem) bool { return state(s.User) }),
		Metas: b.metas.without(whole),
		Users: b.users.without(func(u string) bool { return in(&b.gones, u) }),
	}
	for _, user := range b.order {
		all.Cohorts = append(all.Cohorts, Cohort{user, b.cohorts[user].list})
	}
	return all
}
