package imapserver

import (
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxname"
)

// getACL is GETACL (RFC 4314 section 3.3). Entries keep their order.
func (s *session) getACL(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.knownWith(name, acl.Admin) // RFC 4314 section 4
	if err != nil {
		return err
	}
	b := append(s.in.Scratch(), "* ACL "...)
	b = s.mailbox(b, name)
	for id, rights := range acl.Entries(at.entry.ACL) {
		b = imapwire.AppendAString(append(b, ' '), id)
		b = imapwire.AppendAString(append(b, ' '), showRights(rights))
	}
	return s.in.Commit(append(b, "\r\n"...))
}

// showRights is stored rights as the protocol shows them: in order, with c and
// d where their parts are there.
func showRights(stored string) string {
	if r, err := acl.Parse(stored); err == nil {
		return r.String()
	}
	return stored
}

// setACL is SETACL and, without rights, DELETEACL.
func (s *session) setACL(p *imapwire.Parser) error {
	var args [3]string
	for i := range args {
		var err error
		if args[i], err = p.SPAString(); err != nil {
			return err
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	return s.changeACL(args[0], args[1], args[2])
}

func (s *session) deleteACL(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	id, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	return s.changeACL(name, id, "")
}

// myRights is MYRIGHTS (RFC 4314 section 3.5).
func (s *session) myRights(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.known(name)
	if err != nil {
		return err
	}
	return s.in.Commit(s.appendMyRights(s.in.Scratch(), name, at.rights))
}

func (s *session) appendMyRights(b []byte, ext string, r acl.Rights) []byte {
	b = append(b, "* MYRIGHTS "...)
	b = s.mailbox(b, ext)
	return append(append(append(b, ' '), r.String()...), "\r\n"...)
}

// siteRights are the letters a site may give a meaning.
const siteRights = "0123456789"

// listRights is LISTRIGHTS (RFC 4314 section 3.4): what an identifier always
// has, then what can be granted, each by itself.
func (s *session) listRights(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	id, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.knownWith(name, acl.Admin)
	if err != nil {
		return err
	}
	b := append(s.in.Scratch(), "* LISTRIGHTS "...)
	b = s.mailbox(b, name)
	b = imapwire.AppendAString(append(b, ' '), id)
	canon, err := s.srv.rules.CanonFor(strings.TrimPrefix(id, "-"), s.user)
	switch {
	case err == nil:
		always, optional := s.grantable(at.name, canon, strings.HasPrefix(id, "-"))
		b = imapwire.AppendAString(append(b, ' '), always)
		b = append(append(b, ' '), optional...)
	case strings.HasPrefix(id, "group:"): // there is no such group: it can have nothing
		b = append(b, ` ""`...)
	default:
		return err
	}
	return s.in.Commit(append(b, "\r\n"...))
}

// grantable are the rights that id has in any case, and the others.
func (s *session) grantable(n mboxname.Name, id string, negative bool) (always, optional string) {
	switch {
	case n.IsUserTree() && n.Owner() == id && !negative:
		always = s.srv.ownerRights.String()
	case n.IsInbox():
		always = acl.Post.String() // whatever the list says, mail may come
	}
	letters := []string{}
	for _, c := range "lrswipkxtecdan" + siteRights {
		if !strings.ContainsRune(always, c) {
			letters = append(letters, string(c))
		}
	}
	return always, strings.Join(letters, " ")
}
