package imapserver

import (
	"errors"
	"slices"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/subs"
)

// subscribed is the names that the user is subscribed to.
func (s *session) subscribed() ([]mboxname.Name, error) {
	home, err := s.home()
	if err != nil {
		return nil, err
	}
	if home != "" {
		return s.farSubscribed(home)
	}
	return s.srv.subs.List(s.subsUser())
}

// subsUser is whose subscriptions are meant.
func (s *session) subsUser() subs.User { return subs.User{ID: s.user, InboxID: s.inboxID()} }

// inboxID is the unique id of the user's INBOX, under which the user's own
// files lie; "" when they lie under the user's name.
func (s *session) inboxID() string {
	e, err := s.srv.list.Lookup(mboxname.Inbox(s.user))
	if err != nil || !exists(e) || e.Is(mboxlist.FlagLegacy) {
		return ""
	}
	return e.UniqueID
}

// subscriptions lists from the subscriptions, which survive their mailboxes.
func (l *listing) subscriptions() error {
	names, err := l.s.subscribed()
	if err != nil {
		return err
	}
	var all []listed
	for _, n := range names {
		if ext, ok := l.s.view.External(n); ok {
			all = append(all, listed{ext: ext, name: n, attrs: attrSubscribed})
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int { return l.compare(a.ext, b.ext) })
	if l.args.Select&imapwire.SelectRecursiveMatch != 0 {
		return l.recursive(all)
	}
	for i, n := range all {
		if l.kind == lsubList {
			// Of what lies below only subscriptions count.
			e, err := l.s.srv.list.Lookup(n.name)
			switch {
			case err == nil && exists(e):
				n.attrs = 0
			case err == nil || errors.Is(err, mboxlist.ErrNotFound):
				n.attrs = attrNonExistent // counts for its parents only
			default:
				return err
			}
			if i+1 < len(all) && l.below(all[i+1].ext, n.ext) {
				n.attrs |= attrChildren
			}
		} else if err := l.facts(&n); err != nil {
			return err
		}
		if err := l.seeSubscribed(n); err != nil {
			return err
		}
	}
	return nil
}

// compare orders external names: INBOX and what is below it, then by
// components.
func (l *listing) compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if a[i] == l.sep {
			return -1
		}
		if b[i] == l.sep {
			return 1
		}
		break
	}
	inA, inB := a == "INBOX" || l.below(a, "INBOX"), b == "INBOX" || l.below(b, "INBOX")
	switch {
	case inA && !inB:
		return -1
	case inB && !inA:
		return 1
	}
	return strings.Compare(a, b)
}

// seeSubscribed is see for a subscription: what is above a name counts only as
// far as it is subscribed too. In LSUB a parent that is not is told as
// \Noselect, whether it exists or not (RFC 3501 section 6.3.9); LIST leaves it
// out. LSUB does not show a name whose mailbox is gone, which LIST does.
func (l *listing) seeSubscribed(n listed) error {
	l.calls++
	for len(l.path) > 0 && !l.below(n.ext, l.path[len(l.path)-1]) {
		l.path = l.path[:len(l.path)-1]
	}
	from := 0
	if len(l.path) > 0 {
		from = len(l.path[len(l.path)-1]) + 1
	}
	for i := range len(n.ext) {
		if i < from || n.ext[i] != l.sep {
			continue
		}
		parent := n.ext[:i]
		l.path = append(l.path, parent)
		if l.kind == lsubList && l.matchesOnly(parent, n.ext) {
			if err := l.line(&listed{ext: parent, attrs: attrNoSelect | attrChildren}); err != nil {
				return err
			}
		}
	}
	if l.kind == lsubList && n.attrs&attrNonExistent != 0 {
		if !l.s.srv.opts.AllSubscribed || l.s.srv.proxies() {
			return nil
		}
		// A backend keeps subscriptions to what others have, and its frontends ask
		// for them.
		n.attrs = n.attrs&^attrNonExistent | attrNoSelect
	}
	l.path = append(l.path, n.ext)
	if !l.pats.Match(n.ext) {
		return nil
	}
	return l.line(&n)
}

// facts finds out whether a name exists and has children. A name that does not
// exist, or that the user may not see, is \NonExistent.
func (l *listing) facts(n *listed) error {
	e, err := l.s.srv.list.Lookup(n.name)
	switch {
	case err == nil && exists(e):
		n.rights = l.s.rights(n.name, e.ACL)
	case err != nil && !errors.Is(err, mboxlist.ErrNotFound):
		return err
	}
	has, err := l.hasChildren(n.name)
	if err != nil {
		return err
	}
	n.attrs |= attrNoChildren
	if has {
		n.attrs ^= attrNoChildren | attrChildren
	}
	if n.rights&acl.Lookup == 0 {
		n.attrs |= attrNonExistent
		n.name = ""
	}
	return nil
}

// hasChildren says whether the user may see a mailbox below n. In the
// alternative name space only what is called INBOX/x is below INBOX.
func (l *listing) hasChildren(n mboxname.Name) (bool, error) {
	if l.s.view.Alt && n == mboxname.Inbox(l.s.user) {
		n = n.Child("INBOX")
	}
	found := false
	err := l.s.srv.list.ScanTree(n, func(e mboxlist.View) error {
		if e.Name() == n || e.Is(mboxlist.FlagDeleted) || e.Is(mboxlist.FlagReserved) || e.Is(mboxlist.FlagIntermediate) {
			return nil
		}
		if found = l.s.rights(e.Name(), e.ACL())&acl.Lookup != 0; found {
			return kv.Stop
		}
		return nil
	})
	return found, err
}

// recursive is SUBSCRIBED with RECURSIVEMATCH (RFC 5258 section 3.1): a name
// also matches by a subscribed one below it that does not match itself.
func (l *listing) recursive(all []listed) error {
	var out []listed
	at := map[string]int{}
	add := func(n listed) int {
		i, ok := at[n.ext]
		if !ok {
			i = len(out)
			at[n.ext] = i
			out = append(out, n)
		}
		return i
	}
	for _, n := range all {
		l.calls++
		if l.pats.Match(n.ext) {
			i := add(n)
			out[i].attrs |= attrSubscribed
			out[i].name = n.name
		}
		for i := range len(n.ext) {
			if parent := n.ext[:i]; n.ext[i] == l.sep && l.pats.Match(parent) && !l.pats.Match(n.ext) {
				out[add(listed{ext: parent})].subscribed = true
			}
		}
	}
	slices.SortStableFunc(out, func(a, b listed) int { return l.compare(a.ext, b.ext) })
	for i := range out {
		if err := l.recursiveLine(&out[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) recursiveLine(n *listed) error {
	if n.name == "" {
		name, err := l.s.view.Internal(n.ext)
		if err != nil {
			n.attrs |= attrNonExistent | attrChildren
			return l.line(n)
		}
		n.name = name
	}
	if err := l.facts(n); err != nil {
		return err
	}
	if n.subscribed { // one below is, so there is something below
		n.attrs = n.attrs&^attrNoChildren | attrChildren
	}
	return l.line(n)
}
