package imapserver

import (
	"errors"
	"math"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

func (s *session) create(p *imapwire.Parser) error { return s.createMailbox(p, s.srv.ops) }

// createMailbox is CREATE: with a partition, from administrators, or a list of
// parameters (RFC 4466, RFC 6154).
func (s *session) createMailbox(p *imapwire.Parser, ops *mboxops.Ops) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	var params mboxops.CreateParams
	server := "" // of a murder
	if more, err := p.Accept(' '); err != nil {
		return err
	} else if more {
		if err := readCreate(p, &params, &server); err != nil {
			return err
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if (params.Partition != "" || server != "") && !s.admin {
		return errPermission
	}
	n, err := s.internal(name)
	if err != nil {
		return err
	}
	if s.srv.proxies() && ops == s.srv.ops {
		if server, err = s.createAt(n, server, params.Partition); err != nil {
			return err
		}
		if server != "" {
			return s.createFar(n, name, &params, server)
		}
	}
	e, err := ops.Create(s.ctx, s.asker(), n, params)
	if err != nil {
		// RFC 6154 section 3 has a response code for CREATE alone.
		if errors.Is(err, mboxops.ErrUseConflict) || errors.Is(err, mboxops.ErrBadUse) {
			return imapwire.No("[USEATTR] " + strings.TrimPrefix(s.replyTo(err), "NO "))
		}
		return err
	}
	s.text = "[MAILBOXID (" + e.UniqueID + ")] Completed" // RFC 8474 section 4.1
	return nil
}

// maxUses bounds the words of one list of parameters.
const maxUses = 100

// readCreate reads what follows the name.
func readCreate(p *imapwire.Parser, params *mboxops.CreateParams, server *string) error {
	bad := imapwire.Bad("Invalid partition name in " + p.Command())
	open, err := p.Accept('(')
	if err != nil {
		return err
	}
	if !open {
		w, _, err := p.Word()
		// "server!partition" names a server of a murder, which a frontend goes by.
		i := strings.LastIndexByte(w, '!')
		*server, params.Partition = w[:max(i, 0)], w[i+1:]
		return err
	}
	for {
		key, _, err := p.Word()
		if err != nil {
			return err
		}
		if ok, err := p.Accept(' '); err != nil || !ok {
			return firstOf(err, bad)
		}
		if err := readCreateParam(p, strings.ToUpper(key), params, server, bad); err != nil {
			return err
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if more {
			continue
		}
		if ok, err := p.Accept(')'); err != nil || !ok {
			return firstOf(err, bad)
		}
		return nil
	}
}

// readCreateParam reads one value, a word or a list of some. Parameters that
// nobody knows are taken and forgotten, as by Cyrus.
func readCreateParam(p *imapwire.Parser, key string, params *mboxops.CreateParams, server *string, bad error) error {
	var words []string
	open, err := p.Accept('(')
	if err != nil {
		return err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if words = append(words, w); len(words) > maxUses {
			return bad
		}
		if !open {
			break
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if more {
			continue
		}
		if ok, err := p.Accept(')'); err != nil || !ok {
			return firstOf(err, bad)
		}
		break
	}
	switch key {
	case "PARTITION":
		params.Partition = words[0]
	case "SERVER":
		*server = words[0]
	case "USE":
		params.SpecialUse = words
	case "TYPE":
		if words[0] != "" {
			params.Kind = words[0][0] | 0x20
		}
	case "UIDVALIDITY":
		if n, ok := number(words[0], math.MaxUint32); ok {
			params.UIDValidity = uint32(n)
		}
	}
	return nil
}

func number(s string, max uint64) (n uint64, ok bool) {
	for i := range len(s) {
		d := uint64(s[i]) - '0'
		if d > 9 || n > (max-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, s != ""
}

func (s *session) delete(p *imapwire.Parser) error {
	return s.deleteMailbox(p, s.srv.ops, mboxops.DeleteParams{})
}

func (s *session) deleteMailbox(p *imapwire.Parser, ops *mboxops.Ops, how mboxops.DeleteParams) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	n, err := s.internal(name)
	if err != nil {
		return mboxlist.ErrNotFound
	}
	err = s.far(n)
	var far *elsewhere
	if err != nil && !(ops != s.srv.ops && errors.As(err, &far) && far.at.entry.Incoming()) {
		return err
	}
	return ops.Delete(s.ctx, s.asker(), n, how)
}

// rename is RENAME old new [partition], where the partition may be another server's,
// "server" or "server!partition", and then is as XFER; xrename tells of each mailbox as it
// goes, as 3.6 did in RENAME too.
func (s *session) rename(p *imapwire.Parser) error { return s.renameMailbox(p, false) }

func (s *session) xrename(p *imapwire.Parser) error { return s.renameMailbox(p, true) }

func (s *session) renameMailbox(p *imapwire.Parser, tell bool) error {
	from, err := p.SPAString()
	if err != nil {
		return err
	}
	to, err := p.SPAString()
	if err != nil {
		return err
	}
	var params mboxops.RenameParams
	if more, err := p.Accept(' '); err != nil {
		return err
	} else if more {
		if params.Partition, _, err = p.Word(); err != nil {
			return err
		}
		if !imapwire.IsAtom(params.Partition) {
			return imapwire.Bad("Invalid partition name in " + p.Command())
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	old, err := s.internal(from)
	if err != nil {
		return mboxlist.ErrNotFound
	}
	fresh, err := s.internal(to)
	if err != nil {
		return err
	}
	if params.Partition != "" && !s.admin {
		return errPermission
	}
	if params.Partition != "" && old != fresh {
		return mboxops.ErrCrossMove
	}
	if err := s.far(old); err != nil {
		return s.relocateFar(err, from, params.Partition)
	}
	if params.Partition != "" && s.srv.mover != nil && !s.srv.site.Partitions.Has(params.Partition) {
		server, partition, _ := strings.Cut(params.Partition, "!")
		return s.transfer(from, server, partition)
	}
	s.freshen(fresh)
	if tell {
		params.Progress = s.tellRename
	}
	if old.IsInbox() && s.owns(old) && old != fresh {
		return s.emptyInbox(fresh, params)
	}
	err = s.srv.ops.Rename(s.ctx, s.asker(), old, fresh, params)
	if errors.Is(err, mboxops.ErrUnsupported) && params.Partition == "" {
		return s.whyNotRename(old, fresh, err)
	}
	return err
}

func (s *session) tellRename(from, to mboxname.Name) {
	b := append(s.in.Scratch(), "* OK rename "...)
	b = s.mailbox(b, s.external(from))
	b = s.mailbox(append(b, ' '), s.external(to))
	s.in.Commit(append(b, "\r\n"...))
}

func (s *session) subscribe(p *imapwire.Parser) error   { return s.setSubscribed(p, true) }
func (s *session) unsubscribe(p *imapwire.Parser) error { return s.setSubscribed(p, false) }

// setSubscribed is SUBSCRIBE and UNSUBSCRIBE. The old form with a namespace
// word, "SUBSCRIBE MAILBOX x", is still read.
func (s *session) setSubscribed(p *imapwire.Parser, on bool) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if more, err := p.Accept(' '); err != nil {
		return err
	} else if more {
		if !strings.EqualFold(name, "mailbox") {
			return imapwire.Bad("Invalid " + p.Command() + " subcommand")
		}
		if name, err = p.AString(); err != nil {
			return err
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	n, err := s.internal(name)
	if err == nil && on {
		err = s.listed(n)
	}
	if err == nil && s.srv.proxies() {
		if far, err := s.subscribeFar(n, on); far || err != nil {
			return err
		}
	}
	if err == nil {
		err = s.srv.ops.Subscribe(s.ctx, s.asker(), n, on)
	}
	if errors.Is(err, mboxlist.ErrNotFound) || errors.Is(err, mboxname.ErrBad) {
		return imapwire.No(p.Command() + ": Mailbox does not exist")
	}
	return err
}

// listed is ErrNotFound for an administrator whom the access list does not let
// look a mailbox up: unlike other commands SUBSCRIBE goes by the list alone.
func (s *session) listed(n mboxname.Name) error {
	if !s.admin {
		return nil
	}
	e, err := s.srv.list.Lookup(n)
	if err == nil && acl.My(e.ACL, s.who.State.Member)&acl.Lookup == 0 {
		err = mboxlist.ErrNotFound
	}
	return err
}

// changeACL is SETACL and DELETEACL.
func (s *session) changeACL(name, identifier, rights string) error {
	n, err := s.internal(name)
	if err != nil {
		return mboxlist.ErrNotFound
	}
	at, err := s.place(n)
	if err != nil {
		return err
	}
	if _, _, err := s.srv.ops.ParseRights(rights); err != nil {
		var none *mboxops.RightError
		if errors.As(err, &none) {
			return imapwire.Bad("The " + string(rune(none.Letter)) + " right is not supported")
		}
		return err
	}
	if err := at.need(acl.Admin); err != nil {
		return err
	}
	id := strings.TrimPrefix(identifier, "-")
	// Without a domain it is who has none, whoever's mailbox it is.
	canon, err := s.srv.rules.Canon(id)
	if err != nil {
		// An identifier that could be no user is stored as it was written; only
		// of groups it is known whether they exist.
		if rights != "" && strings.HasPrefix(id, "group:") || id == "" {
			return err
		}
		canon = id
	}
	if id != identifier {
		canon = "-" + canon
	}
	return s.srv.ops.SetACL(s.ctx, s.asker(), n, canon, rights)
}

// autocreate makes the user's INBOX at login, where the site wants that.
func (s *session) autocreate() {
	switch {
	case s.srv.frontend(): // Cyrus made INBOX here, and told the murder so
		return
	case s.srv.unified():
		s.autocreateOnce()
		return
	}
	if err := s.srv.ops.Autocreate(s.ctx, s.asker()); err != nil {
		log.Err("autocreateinbox: %s: %v", s.user, err) // the login stands
	}
}

// whyNotRename gives the reason that Cyrus names first where an INBOX may not
// be renamed, or become another mailbox.
func (s *session) whyNotRename(old, fresh mboxname.Name, err error) error {
	at, gone := s.place(old)
	if gone != nil {
		return gone
	}
	if !s.admin && at.rights&acl.DeleteBox == 0 {
		return errPermission
	}
	if e, none := s.srv.list.Lookup(fresh); !old.IsInbox() && none == nil && exists(e) {
		return mboxops.ErrExists
	}
	return err
}
