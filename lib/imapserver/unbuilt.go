package imapserver

import (
	"strings"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
)

// unbuilt are commands of Cyrus that this server knows by name only. Nothing is
// offered for them, but who sends one all the same hears which it was, and the
// log says who. Commands that Cyrus hides from all but administrators are hidden
// here too.
var unbuilt = map[string]command{
	"Dump":   {in: signedIn, run: (*session).adminsOnly},
	"Undump": {in: signedIn, run: (*session).adminsOnly},

	"Genurlauth": {in: signedIn, run: (*session).unsupported}, // RFC 4467
	"Resetkey":   {in: signedIn, run: (*session).unsupported},
	"Urlfetch":   {in: signedIn, run: (*session).unsupported},
	"Scan":       {in: signedIn, run: (*session).unsupported},
	"Esearch":    {in: signedIn, run: (*session).unsupported}, // RFC 7377
	"Notify":     {in: signedIn, run: (*session).unsupported}, // RFC 5465
}

// lookup finds a command by its name.
func lookup(name string) (command, bool) {
	if c, ok := commands[name]; ok {
		return c, true
	}
	c, ok := unbuilt[name]
	return c, ok
}

// unsupported refuses a command by its name.
func (s *session) unsupported(*imapwire.Parser) error {
	log.Notice("%s: %s is not supported by this server", s.user, s.name)
	return imapwire.No(strings.ToUpper(s.name) + " is not supported by this server")
}

// adminsOnly is unsupported for administrators; others learn first that they may
// not.
func (s *session) adminsOnly(p *imapwire.Parser) error {
	at, err := s.adminArgument(p)
	if err == nil {
		log.Notice("%s: %s", at.name, s.name)
		err = s.unsupported(p)
	}
	return err
}

// adminArgument reads the mailbox that an administrator's command is about.
func (s *session) adminArgument(p *imapwire.Parser) (*place, error) {
	name, err := p.SPAString()
	if err != nil {
		return nil, err
	}
	if !s.admin {
		return nil, errPermission
	}
	return s.locate(name)
}
