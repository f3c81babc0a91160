package repair

import (
	"slices"
	"strings"

	"gocyrus/lib/glob"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// AdminView is how the arguments of the tools spell names: as an administrator
// sees them.
func AdminView(s *site.Site) *mboxname.View { return s.Namespace.View("cyrus", true) }

// External is the spelling of a name for an administrator.
func External(s *site.Site, n mboxname.Name) string {
	if x, ok := AdminView(s).External(n); ok {
		return x
	}
	return string(n)
}

// Find are the mailboxes with files here whose names match a pattern of LIST, as
// an administrator spells them: users' first, then shared ones, then deleted
// ones.
func Find(s *site.Site, pattern string) ([]*mboxlist.Entry, error) {
	v := AdminView(s)
	p := glob.Compile(pattern, v.Sep())
	if _, whole := p.Literal(); whole {
		return findOne(s, v, pattern)
	}
	all, err := Mailboxes(s, "")
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e *mboxlist.Entry) bool {
		x, ok := v.External(e.Name)
		return !ok || !p.Match(x)
	})
	slices.SortStableFunc(all, func(a, b *mboxlist.Entry) int { return class(a.Name) - class(b.Name) })
	return all, nil
}

func findOne(s *site.Site, v *mboxname.View, external string) ([]*mboxlist.Entry, error) {
	n, err := v.Internal(external)
	if err != nil {
		return nil, nil //nolint:nilerr // no mailbox has such a name
	}
	e, err := s.List.Lookup(n)
	if err != nil || !Local(e) {
		return nil, notFoundIsNone(err)
	}
	return []*mboxlist.Entry{e}, nil
}

func class(n mboxname.Name) int {
	switch {
	case n.IsDeleted():
		return 2
	case n.IsUserTree():
		return 0
	}
	return 1
}

// FindBelow are the mailboxes below the one or ones that a pattern names.
func FindBelow(s *site.Site, pattern string) ([]*mboxlist.Entry, error) {
	local, domain, at := strings.Cut(pattern, "@")
	pattern = local + string(AdminView(s).Sep()) + "*"
	if at {
		pattern += "@" + domain
	}
	return Find(s, pattern)
}

// OfUser are the mailboxes of a user, the deleted ones behind the others.
func OfUser(s *site.Site, userid string) ([]*mboxlist.Entry, error) {
	var all []*mboxlist.Entry
	if err := s.List.ScanUser(userid, collect(&all, Local)); err != nil {
		return nil, err
	}
	inbox := mboxname.Inbox(userid)
	prefix := mboxname.Name(mboxname.DeletedPrefix + "." + inbox.Local())
	if d := inbox.Domain(); d != "" {
		prefix = mboxname.Name(d+"!") + prefix
	}
	deleted, err := Mailboxes(s, prefix.DB())
	for _, e := range deleted {
		if e.Name.Owner() == userid {
			all = append(all, e)
		}
	}
	return all, err
}
