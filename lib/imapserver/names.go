package imapserver

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gocyrus/lib/acl"
	"gocyrus/lib/charset"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

// place is a mailbox that a command names.
type place struct {
	name   mboxname.Name
	ext    string // as the client sees it
	entry  *mboxlist.Entry
	rights acl.Rights // the user's
}

// errRemote is the error of a mailbox that lives on another server.
var errRemote = errors.New("mailbox is on another server")

// locate finds the mailbox that a client names. It is the one place that asks
// where a mailbox lives: of one that another server has the error is elsewhere,
// and dispatch passes the command on. A mailbox that the user may not look up does not
// exist (RFC 4314 section 6), nor does one with an impossible name.
func (s *session) locate(external string) (*place, error) {
	n, err := s.internal(external)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mboxlist.ErrNotFound, err)
	}
	return s.place(n)
}

// place is locate for an internal name.
func (s *session) place(n mboxname.Name) (*place, error) { return s.placeWith(n, acl.Lookup) }

// placeWith is place for who needs some rights: where the list, which may lag behind the
// murder's, gives less, it is asked for its latest. Whether they are there is the caller's to
// see, but for that to look up.
func (s *session) placeWith(n mboxname.Name, r acl.Rights) (*place, error) {
	e, err := s.lookupFresh(n, r|acl.Lookup)
	if err != nil {
		return nil, err
	}
	if !exists(e) {
		return nil, mboxlist.ErrNotFound
	}
	at := &place{name: n, ext: s.external(n), entry: e, rights: s.rights(n, e.ACL)}
	// What was deleted is the administrators', though its list still names the
	// users.
	if at.rights&acl.Lookup == 0 || n.IsDeleted() && !s.rules(n) {
		return nil, mboxlist.ErrNotFound
	}
	if e.Is(mboxlist.FlagMoving) {
		return nil, fmt.Errorf("%s: %w", n, mboxops.ErrMoving)
	}
	if e.Is(mboxlist.FlagRemote) {
		return nil, s.away(at)
	}
	return at, nil
}

// away is the error of a mailbox of another server: where this one takes part in a
// murder the command goes there.
func (s *session) away(at *place) error {
	switch {
	case s.srv.murder == nil || at.entry.Server == "" && !at.entry.Incoming():
		return errRemote
	case at.entry.Server == s.srv.murder.opts.Self:
		log.Err("%s: the list says that %s is on this very server, and it is not", s.user, at.name)
		return errAround
	case s.relayed():
		log.Err("%s: another server believes that %s is here; by the list here it is on %s", s.user, at.name, at.entry.Server)
		return errAround
	}
	return &elsewhere{at}
}

// exists says whether a record is a mailbox: tombstones, reservations and mere
// parents are none.
func exists(e *mboxlist.Entry) bool {
	return !e.Deleted() && !e.Is(mboxlist.FlagReserved) && !e.Is(mboxlist.FlagIntermediate)
}

// internal reads a name as the client spells it: modified UTF-7 or, after
// ENABLE IMAP4rev2, UTF-8.
func (s *session) internal(external string) (mboxname.Name, error) {
	encode := encode8Bit
	if s.enabled&rev2 != 0 {
		encode = charset.EncodeUTF7
	}
	encoded, err := encode(external)
	if err != nil {
		return "", mboxname.ErrBad
	}
	return s.view.Internal(encoded)
}

// encode8Bit makes the UTF-8 in a name modified UTF-7 and leaves the rest as it
// is.
//
// QUIRK: clients on go-imap take the capability IMAP4rev2 for leave to send
// UTF-8, and read modified UTF-7 in the answers. No name may have octets above
// 0x7f otherwise.
func encode8Bit(name string) (string, error) {
	ascii := func(c byte) bool { return c < utf8.RuneSelf }
	var b strings.Builder
	for name != "" {
		n := 1
		for n < len(name) && ascii(name[n]) == ascii(name[0]) {
			n++
		}
		run := name[:n]
		if !ascii(run[0]) {
			var err error
			if run, err = charset.EncodeUTF7(run); err != nil {
				return "", err
			}
		}
		b.WriteString(run)
		name = name[n:]
	}
	return b.String(), nil
}

// external spells a name for the client; a name there is no way to say is shown
// as it is.
func (s *session) external(n mboxname.Name) string {
	if ext, ok := s.view.External(n); ok {
		return ext
	}
	return string(n)
}

// rights are what the user may do with a mailbox of that name and list: the
// list's word, for the owner some in any case (option implicit_owner_rights),
// for administrators to look up and to change the list.
func (s *session) rights(n mboxname.Name, list string) acl.Rights {
	r := acl.My(list, s.who.State.Member)
	if s.owns(n) {
		r |= s.srv.ownerRights
	}
	if s.rules(n) {
		r |= acl.Lookup | acl.Admin
	}
	return r
}

// owns says whether the mailbox belongs to the user.
func (s *session) owns(n mboxname.Name) bool { return n.IsUserTree() && n.Owner() == s.user }

// rules says whether the user is an administrator of the mailbox: of its
// domain, where there are virtual domains.
func (s *session) rules(n mboxname.Name) bool {
	return s.admin && (s.who.State.IsGlobalAdmin() || n.Domain() == s.who.State.Domain)
}

// need fails unless the user has all of the rights on the mailbox.
func (at *place) need(r acl.Rights) error {
	if at.rights&r != r {
		return fmt.Errorf("%s: rights %s of %s: %w", at.name, at.rights, r, errPermission)
	}
	return nil
}
