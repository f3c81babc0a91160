package imapserver

import "gocyrus/lib/imapwire"

// namespace is NAMESPACE (RFC 2342): the personal one, other users', the
// shared ones. Administrators have no personal one.
func (s *session) namespace(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	personal, others, shared := s.namespaces()
	s.untagged("NAMESPACE ", personal, " ", others, " ", shared)
	return nil
}

func (s *session) namespaces() (personal, others, shared string) {
	ns := s.srv.opts.Namespace
	sep := string(ns.Sep())
	one := func(prefix string) string {
		b := imapwire.AppendQuoted([]byte("(("), prefix)
		b = imapwire.AppendQuoted(append(b, ' '), sep)
		return string(append(b, "))"...))
	}
	switch {
	case s.admin:
		personal, others, shared = "NIL", one("user"+sep), one("")
	case ns.Alt:
		personal, others, shared = one(""), one(ns.UserPrefix+sep), one(ns.SharedPrefix+sep)
	default:
		personal, others, shared = one("INBOX"+sep), one("user"+sep), one("")
	}
	if ns.HideUsers {
		others = "NIL"
	}
	if ns.HideShared {
		shared = "NIL"
	}
	return personal, others, shared
}
