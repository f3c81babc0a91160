package imapserver

import (
	"errors"
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
	// far, when set, carries out what run found to be about another server's
	// mailbox; nil passes the command on as it is.
	far func(*session, *place) error
	// away is run in place of run while the selected mailbox is another server's;
	// nil passes on what is about that mailbox, and runs the rest here.
	away func(*session, *imapwire.Parser) error
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
	// refer commands send a client that can follow to the server that has the
	// mailbox; referAdmin ones only administrators.
	refer
	referAdmin
)

// commands is every command the server speaks, by its name in the spelling of
// its error texts: "Fetch"; those behind UID are "UID Fetch".
var commands = merge(sessionCommands, mailboxCommands, selectedCommands, sortCommands, syncCommands, peerCommands)

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
	if err := s.run(c); err != nil {
		return err
	}
	if c.how&quiet != 0 {
		return nil
	}
	if s.farSel != nil {
		return s.farNews()
	}
	return s.sendUpdates(c.how&keepNumbers == 0)
}

// run carries a command out, here or where its mailbox is.
func (s *session) run(c command) error {
	if s.srv.murder == nil || s.who == nil {
		return c.run(s, s.p)
	}
	s.heard, s.looked = nil, false
	if err := s.notHere(s.name); err != nil {
		return err
	}
	s.in.Record()
	defer s.in.Forget()
	if s.farSel != nil {
		switch {
		case c.away != nil:
			return c.away(s, s.p)
		case c.in == selected:
			return s.pass(s.p)
		}
	}
	err := c.run(s, s.p)
	var far *elsewhere
	if errors.As(err, &far) {
		err = s.forward(c, far.at)
	}
	return err
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
	case c.how&admins != 0 && !s.selfAdmin():
		return c, name, errUnknown
	case c.in == selected && s.state != selected:
		return c, name, errNoMailbox
	}
	return c, name, nil
}

// findUID reads the word after UID and the space behind it.
func (s *session) findUID() (command, string, error) {
	if s.state != selected {
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
