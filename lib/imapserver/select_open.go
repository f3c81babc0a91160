package imapserver

import (
	"errors"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/seen"
)

// enter opens the mailbox that a client names, for one who has the rights that
// are needed. The caller closes it.
func (s *session) enter(name string, need acl.Rights) (*mailbox.Mailbox, index.Who, error) {
	at, err := s.locate(name)
	if err != nil {
		return nil, index.Who{}, err
	}
	if at.entry.Kind() != 'e' { // scripts, calendars: the server's own to write
		return nil, index.Who{}, errType
	}
	if err := at.need(need); err != nil {
		return nil, index.Who{}, err
	}
	mbox, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return nil, index.Who{}, fmt.Errorf("open %s: %w", at.name, err)
	}
	return mbox, s.whoAt(at), nil
}

// errType is the error of a mailbox that does not hold mail.
var errType = imapwire.No("Invalid mailbox type")

// whoAt is how the user looks at a mailbox.
func (s *session) whoAt(at *place) index.Who {
	who := index.Who{User: s.user, Owner: s.owns(at.name), Rights: at.rights}
	if !who.Owner && s.srv.seen != nil {
		who.Seen = seenOf{s}
	}
	return who
}

// seenOf is what the user has seen of others' mailboxes. Where it is kept goes by the INBOX,
// which may move to another server, or come from one, while a mailbox is selected.
type seenOf struct{ s *session }

func (o seenOf) Get(uniqueID string) (seen.Record, error) {
	return o.s.srv.seen.For(o.s.user, o.s.inboxID()).Get(uniqueID)
}

func (o seenOf) Put(uniqueID string, r seen.Record) error {
	return o.s.srv.seen.For(o.s.user, o.s.inboxID()).Put(uniqueID, r)
}

// target opens the mailbox that messages are to go to. done closes it.
func (s *session) target(name string) (t index.Target, done func(), err error) {
	mbox, who, err := s.enter(name, acl.Insert)
	if errors.Is(err, errPermission) {
		err = s.listedName(name, err)
	}
	if err != nil {
		return t, nil, s.tryCreate(name, err)
	}
	t = index.Target{Mailbox: mbox, Who: who, IgnoreQuota: s.srv.opts.SkipQuota, Journal: s.srv.site.Sync}
	return t, mbox.Close, nil
}

// listedName is err, or that there is no such mailbox, for an administrator whom
// the access list does not let look it up.
func (s *session) listedName(name string, err error) error {
	n, bad := s.internal(name)
	if bad == nil {
		if hidden := s.listed(n); hidden != nil {
			return hidden
		}
	}
	return err
}

// errTryCreate is the error of a target that does not exist and that the client
// might create (RFC 9051 section 6.3.12).
var errTryCreate = imapwire.No("[TRYCREATE] Mailbox does not exist")

// tryCreate turns the absence of a mailbox that the user could create into
// errTryCreate.
func (s *session) tryCreate(name string, err error) error {
	if !errors.Is(err, mboxlist.ErrNotFound) {
		return err
	}
	n, bad := s.internal(name)
	if bad == nil && !s.mayCreate(n) {
		return err
	}
	return errTryCreate
}

// mayCreate says whether the user could create a mailbox: the right to it is
// that of the nearest mailbox above.
func (s *session) mayCreate(n mboxname.Name) bool {
	if e, err := s.srv.list.Lookup(n); err == nil && exists(e) {
		return false // it is there, and hidden
	}
	if s.owns(n) || s.rules(n) {
		return true
	}
	for parent, ok := n.Parent(); ok; parent, ok = parent.Parent() {
		e, err := s.srv.list.Lookup(parent)
		if err == nil && exists(e) {
			return s.rights(parent, e.ACL)&acl.Create != 0
		}
	}
	return false
}
