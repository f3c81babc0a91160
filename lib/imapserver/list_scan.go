package imapserver

import (
	"bytes"
	"slices"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

const (
	// dbSep separates components in the keys of mailboxes.db, and dbNext is the
	// octet after it: keys from name+dbNext on are neither name nor below it.
	dbSep  = "\x1f"
	dbNext = "\x20"
	// dbDomain ends the domain that stands in front, and dbDomainNext is the octet after
	// it.
	dbDomain     = "\x1d"
	dbDomainNext = "\x1e"
)

// scan shows see all names that may match, each group of the name space after
// the other. What all patterns begin with narrows it down.
func (l *listing) scan() error {
	top, whole := l.top()
	v := l.s.view
	if top != "" {
		if v.Alt && !v.Admin {
			if group := l.group(top); group != nil {
				return group()
			}
		}
		if done, err := l.scanTop(top, whole); done {
			return err
		}
	}
	if v.Admin {
		return l.scanAll(top)
	}
	if err := l.scanOwn(); err != nil {
		return err
	}
	if v.Alt {
		return l.inTurn(l.scanOthers, l.scanShared)
	}
	return l.scanRest()
}

// group is the one part of the alternative name space that top stands for, nil
// when it is a mailbox.
func (l *listing) group(top string) func() error {
	switch {
	case top == "INBOX" || l.below(top, "INBOX"):
		return l.scanInbox
	case top == l.s.view.UserPrefix:
		return l.scanOthers
	case top == l.s.view.SharedPrefix:
		return l.scanShared
	}
	return nil
}

// scanAll is the order for administrators: users, what is shared, what was
// deleted.
func (l *listing) scanAll(top string) error {
	if l.s.view.Virtual != mboxname.VirtualOff {
		return l.scanDomains(top)
	}
	return l.inTurn(
		func() error { return l.between("user"+dbSep, "user"+dbNext, l.entry) },
		l.outside,
		func() error {
			gone := mboxname.DeletedPrefix
			return l.between(gone+dbSep, gone+dbNext, l.entry)
		},
	)
}

// nameKind is a part of the name space. With virtual domains each is spread over
// the list: all domains have theirs.
type nameKind int

const (
	sharedNames nameKind = iota
	usersNames
	deletedNames
)

func kindOf(key []byte) nameKind {
	if _, local, ok := bytes.Cut(key, []byte(dbDomain)); ok {
		key = local
	}
	top, _, below := bytes.Cut(key, []byte(dbSep))
	switch {
	case below && string(top) == "user":
		return usersNames
	case below && string(top) == mboxname.DeletedPrefix:
		return deletedNames
	}
	return sharedNames
}

// scanDomains is scanAll for an administrator of domains, to whom names end with them:
// what is below one name, top, lies in all domains but for what the patterns say at
// their end.
func (l *listing) scanDomains(top string) error {
	kinds := []nameKind{usersNames, sharedNames, deletedNames}
	switch first, _, _ := strings.Cut(top, string(l.sep)); first {
	case "":
	case "user":
		kinds = kinds[:1]
	case mboxname.DeletedPrefix:
		kinds = kinds[2:]
	default:
		kinds = kinds[1:2]
	}
	start, end := "", ""
	if domain := l.domain(); domain != "" {
		start, end = domain+dbDomain, domain+dbDomainNext
	}
	for _, kind := range kinds {
		if err := l.kindOnly(kind, start, end); err != nil {
			return err
		}
	}
	return nil
}

// domain is the one in which all names lie that the patterns match, "" for any.
func (l *listing) domain() (domain string) {
	for i, p := range l.pats {
		tail := p.Tail()
		d := ""
		if at := strings.LastIndexByte(tail, '@'); at >= 0 {
			d = tail[at+1:]
		}
		if i > 0 && d != domain {
			return ""
		}
		domain = d
	}
	return domain
}

// kindOnly shows the mailboxes of one part whose keys lie from start up to end.
func (l *listing) kindOnly(kind nameKind, start, end string) error {
	return l.between(start, end, func(e mboxlist.View) error {
		if kindOf(e.DBName()) != kind {
			return nil
		}
		return l.entry(e)
	})
}

// outside shows what is neither a user's nor deleted.
func (l *listing) outside() error {
	for _, r := range outsideRanges() {
		if err := l.between(r[0], r[1], l.entry); err != nil {
			return err
		}
	}
	return nil
}

// outsideRanges are the ranges of keys beside users and deleted mailboxes, whose
// top level a site may have named as it likes.
func outsideRanges() [3][2]string {
	a, b := min(mboxname.DeletedPrefix, "user"), max(mboxname.DeletedPrefix, "user")
	return [3][2]string{{"", a + dbSep}, {a + dbNext, b + dbSep}, {b + dbNext, ""}}
}

// top is the external name of the subtree that all patterns stay in, "" for
// all. whole says that there is one pattern, without wildcards.
func (l *listing) top() (name string, whole bool) {
	for i, p := range l.pats {
		lit, w := p.Literal()
		if w && len(l.pats) == 1 {
			return lit, true
		}
		lit = lit[:max(strings.LastIndexByte(lit, l.sep), 0)]
		if i == 0 {
			name = lit
		} else if lit != name {
			return "", false
		}
	}
	return name, false
}

// scanTop shows the one subtree that the patterns stay in. It is not done when
// the name is a part of the name space and no mailbox, or may be.
func (l *listing) scanTop(top string, whole bool) (done bool, err error) {
	v := l.s.view
	n, err := v.Internal(top)
	if err != nil {
		return false, nil
	}
	if ext, ok := v.External(n); !ok || ext != top {
		return false, nil
	}
	if v.Admin && v.Virtual != mboxname.VirtualOff && !strings.Contains(top, "@") {
		// Names of other domains, too, begin so, if it is not one by itself.
		if e, err := l.s.srv.list.Lookup(n); !whole || err != nil || !exists(e) {
			return false, nil
		}
	}
	return true, l.s.srv.list.ScanTree(n, func(e mboxlist.View) error {
		// Below a single name only this is of interest: is there one?
		if whole && l.waiting && l.wait.attrs&attrChildren != 0 {
			return kv.Stop
		}
		return l.entry(e)
	})
}

// inTurn runs the steps until one fails.
func (l *listing) inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// scanOwn shows the user's mailboxes.
func (l *listing) scanOwn() error {
	if !l.s.view.Alt {
		return l.s.srv.list.ScanUser(l.s.user, l.entry)
	}
	own, sub := l.ownKeys()
	return l.inTurn(
		l.scanInbox,
		func() error { return l.between(own+dbSep, sub, l.entry) },
		func() error { return l.between(sub+dbNext, own+dbNext, l.entry) },
	)
}

// scanInbox shows INBOX and, in the alternative name space, what is called
// INBOX/x: inside, the other folders are below it as well.
func (l *listing) scanInbox() error {
	own, sub := l.ownKeys()
	return l.inTurn(
		func() error { return l.between(own, own+dbSep, l.entry) },
		func() error { return l.between(sub+dbSep, sub+dbNext, l.entry) },
	)
}

// ownKeys are the keys of the user's INBOX and of the parent of INBOX/x.
func (l *listing) ownKeys() (own, sub string) {
	inbox := mboxname.Inbox(l.s.user)
	return inbox.DB(), inbox.Child("INBOX").DB()
}

// scanOthers shows other users' mailboxes.
func (l *listing) scanOthers() error {
	if l.s.view.HideUsers {
		return nil
	}
	if done, err := l.scanReverse(true); done {
		return err
	}
	all, err := l.s.srv.foreign.get(l.s.srv.list)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.name.Owner() == l.s.user {
			continue
		}
		if err := l.show(g.name, g.acl); err != nil {
			return err
		}
	}
	return nil
}

// scanShared shows the mailboxes of nobody.
func (l *listing) scanShared() error {
	if l.s.view.HideShared {
		return nil
	}
	if done, err := l.scanReverse(false); done {
		return err
	}
	if l.s.view.Virtual != mboxname.VirtualOff {
		return l.between("", "", func(e mboxlist.View) error {
			if e.Name().IsUserTree() {
				return nil
			}
			return l.entry(e)
		})
	}
	return l.outside()
}

// scanRest shows what is not the user's in one order, as the standard name
// space has it: what is shared stands on both sides of "user".
func (l *listing) scanRest() error {
	if l.s.view.Virtual != mboxname.VirtualOff {
		return l.inTurn(l.scanOthers, l.scanShared)
	}
	if l.s.view.HideShared {
		return l.scanOthers()
	}
	for _, r := range outsideRanges() {
		if r[0] == "user"+dbNext {
			if err := l.scanOthers(); err != nil {
				return err
			}
		}
		if err := l.between(r[0], r[1], l.entry); err != nil {
			return err
		}
	}
	return nil
}

// between shows the records from start up to end, "" being the last.
func (l *listing) between(start, end string, show func(mboxlist.View) error) error {
	n := 0
	return l.s.srv.list.ScanFrom(start, func(e mboxlist.View) error {
		if end != "" && string(e.DBName()) >= end {
			return kv.Stop
		}
		if n++; n&1023 == 0 && l.ctx.Err() != nil {
			return l.ctx.Err()
		}
		return show(e)
	})
}

// scanReverse shows what the reverse ACL records name, where the site keeps
// them: the work then grows with what the user may see, not with the site.
func (l *listing) scanReverse(users bool) (done bool, err error) {
	ids := []string{l.s.user, "anyone"}
	for _, g := range l.s.who.State.Groups {
		ids = append(ids, "group:"+strings.TrimPrefix(g, "group:"))
	}
	var names []string
	for _, id := range ids {
		ok, err := l.s.srv.list.ScanReverse(id, users, func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
		if err != nil || !ok {
			return false, err
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		n, err := mboxname.FromDB(name)
		if err != nil || n.IsDeleted() || users && n.Owner() == l.s.user {
			continue
		}
		e, err := l.s.srv.list.Lookup(n)
		if err != nil || !exists(e) || e.Kind() != 'e' {
			continue
		}
		if err := l.show(n, e.ACL); err != nil {
			return true, err
		}
	}
	return true, nil
}

// entry shows see one record, if it is a mailbox for mail that the user may see.
// Administrators see those of other kinds too.
func (l *listing) entry(e mboxlist.View) error {
	if l.s.admin && !isMailbox(e.Type()) || !l.s.admin && !mayList(e) {
		return nil
	}
	n := e.Name()
	if l.s.rules(n) && l.args.Return&imapwire.ReturnMyRights == 0 {
		return l.seen(n, acl.Lookup)
	}
	return l.show(n, e.ACL())
}

// show is entry for a name whose ACL is at hand.
func (l *listing) show(n mboxname.Name, list string) error {
	rights := l.s.rights(n, list)
	if rights&acl.Lookup == 0 {
		return nil
	}
	return l.seen(n, rights)
}

func (l *listing) seen(n mboxname.Name, rights acl.Rights) error {
	ext, ok := l.s.view.External(n)
	if !ok {
		return nil
	}
	return l.see(listed{ext: ext, name: n, rights: rights})
}
