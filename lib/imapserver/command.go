package imapserver

import (
	"maps"
	"strings"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
)

// A command is one entry of the command table.
type command struct {
	in  state // where it is open
	run func(*session, *imapwire.Parser) error
	how how
}

// how says what surrounds a command.
type how uint8

const (
	// quiet commands are not followed by news of the selected mailbox.
	quiet how = 1 << iota
	// keepNumbers commands may not be followed by EXPUNGE: the client may have
	// others under way that name messages by number (RFC 3501 section 7.4.1).
	keepNumbers
	// admins only; for others the command does not exist.
	admins
	// change commands alter the store: refused on a replica or with "readonly".
	change
)

// commands is every command the server speaks, by its name in the spelling of
// its error texts: "Fetch"; those behind UID are "UID Fetch".
var commands = merge(sessionCommands, mailboxCommands, selectedCommands, sortCommands)

func merge(tables ...map[string]command) map[string]command {
	all := map[string]command{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

var (
	errUnknown    = imapwire.Bad("Unrecognized command")
	errNotSigned  = imapwire.Bad("Please login first")
	errNoMailbox  = imapwire.Bad("Please select a mailbox first")
	errNull       = imapwire.Bad("Null command")
	errUIDCommand = imapwire.Bad("Unrecognized UID subcommand")
)

// dispatch reads the command's name, finds it and runs it. News of the selected
// mailbox follows a command that succeeded.
func (s *session) dispatch() error {
	name, err := s.p.Name()
	if err != nil {
		return err
	}
	if name == "" {
		return errNull
	}
	if s.srv.opts.Chatty {
		log.Notice("command: %s %s", s.tag, name)
	}
	if s.alert != "" {
		s.untagged("OK [ALERT] ", s.alert)
		s.alert = ""
	}
	c, name, err := s.find(name)
	if err != nil {
		return err
	}
	s.name = name
	if s.byUID() {
		s.p.SetCommand("Uid", name)
	} else {
		s.p.SetCommand(name, "")
	}
	s.svc.Proc.SetCommand(name)
	if c.how&change != 0 && s.srv.opts.ReadOnly {
		return errReadOnly
	}
	if err := c.run(s, s.p); err != nil {
		return err
	}
	if s.sel == nil || c.how&quiet != 0 {
		return nil
	}
	return s.sendUpdates(c.how&keepNumbers == 0)
}

// find looks the command up, in the order in which Cyrus looks: login, name,
// mailbox.
func (s *session) find(name string) (command, string, error) {
	c, ok := lookup(name)
	switch {
	case s.who == nil && (!ok || c.in&notAuth == 0):
		return c, name, errNotSigned
	case name == "Uid":
		return s.findUID()
	case !ok || c.in&(s.state|notAuth) == 0 && c.in&signedIn == 0:
		return c, name, errUnknown
	case c.how&admins != 0 && !s.admin:
		return c, name, errUnknown
	case c.in == selected && s.sel == nil:
		return c, name, errNoMailbox
	}
	return c, name, nil
}

// findUID reads the word after UID and the space behind it.
func (s *session) findUID() (command, string, error) {
	if s.sel == nil {
		return command{}, "", errNoMailbox
	}
	s.p.SetCommand("Uid", "")
	if err := s.p.SP(); err != nil {
		return command{}, "", err
	}
	word, err := s.p.Name()
	if err != nil {
		return command{}, "", err
	}
	if b, err := s.p.Peek(); err != nil {
		return command{}, "", err
	} else if b != ' ' {
		return command{}, "", s.p.Missing()
	}
	name := "UID " + word
	c, ok := commands[name]
	if !ok {
		return c, name, errUIDCommand
	}
	return c, name, nil
}

// byUID says whether the command names messages by UID.
func (s *session) byUID() bool { return strings.HasPrefix(s.name, "UID ") }
