package imapserver

import (
	"errors"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxops"
)

// peerCommands are what the other servers of a murder say to a backend: its
// frontends, and the backends that send it mailboxes.
var peerCommands = map[string]command{
	"Localappend": {in: signedIn, run: (*session).localAppend, how: change},
	"Localcreate": {in: signedIn, run: (*session).localCreate, how: change},
	"Localdelete": {in: signedIn, run: (*session).localDelete, how: change},
	"Mupdatepush": {in: signedIn, run: (*session).mupdatePush, how: change},
	"Xfer":        {in: signedIn, run: (*session).xfer, how: change, far: (*session).relayMove},
}

// localAppend is APPEND of a frontend, which also says which mailbox of this server
// the client has selected: what URLs without one are to be read from.
func (s *session) localAppend(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	current, err := p.SPAString()
	if err != nil {
		return err
	}
	return s.appendNamed(p, name, current)
}

// localCreate is CREATE of a mailbox that is to come from another server: the murder
// does not hear of it yet.
func (s *session) localCreate(p *imapwire.Parser) error {
	return s.createMailbox(p, s.srv.ops.Local())
}

// localDelete is LOCALDELETE, of a mailbox that has moved to another server: it is
// gone at once, and so is an INBOX without the rest of the user.
func (s *session) localDelete(p *imapwire.Parser) error {
	return s.deleteMailbox(p, s.srv.ops.Local(), mboxops.DeleteParams{Now: true, Alone: true, Force: true})
}

// mupdatePush tells the murder that a mailbox has arrived here.
func (s *session) mupdatePush(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	switch {
	case !s.selfAdmin():
		return errPermission
	case s.srv.site.Murder == nil:
		return errRemote
	}
	at, err := s.arrived(name)
	if err != nil {
		return err
	}
	return s.srv.ops.Announce(s.ctx, s.asker(), at.name)
}

// arrived is locate that finds what has come here from another server, though that one
// still has it for clients.
func (s *session) arrived(name string) (*place, error) {
	at, err := s.locate(name)
	var far *elsewhere
	if errors.As(err, &far) && far.at.entry.Incoming() {
		return far.at, nil
	}
	return at, err
}

// selfAdmin says whether the user is an administrator who has signed in as himself.
// Whoever acts for one, as frontends do, has not all of an administrator's commands.
func (s *session) selfAdmin() bool { return s.admin && !s.proxied() }

// proxied says whether another server acts for the user, or an administrator does.
func (s *session) proxied() bool { return s.who.State.ActsFor != "" }

// proxiedMetadata is GETMETADATA as frontends of Cyrus 3.6.1 send it: GETANNOTATION
// with a list of METADATA's entries, which are atoms, and nothing behind it.
//
// QUIRK: the same frontends run two entries into one, which then has no value, and
// send short values of SETMETADATA as atoms.
func (s *session) proxiedMetadata(p *imapwire.Parser, name string) error {
	q := &metadataQuery{maxSize: -1}
	for {
		entry, err := p.AString()
		if err != nil {
			return idError(err, errMetaEntry)
		}
		if q.entries = append(q.entries, entry); len(q.entries) > maxMetaValues {
			return errMetaList
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			break
		}
	}
	if ok, err := p.Accept(')'); err != nil || !ok {
		return firstOf(err, errMetaList)
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := q.fold(); err != nil {
		return err
	}
	return s.answerMetadata(name, q)
}
