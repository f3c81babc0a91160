package imapserver

import (
	"bytes"
	"errors"
	"strings"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
)

// relayMove passes a command on by which a mailbox may go to another server.
func (s *session) relayMove(at *place) error {
	args := bytes.Clone(s.in.Recorded())
	return s.sayMove(at.entry.Server, strings.ToUpper(s.name), func(c *imapproxy.Conn) error { return c.Again(args) })
}

// relocateFar is RENAME of a mailbox that another server has, to the same name: where a
// server is named that one is asked to move it there, as Cyrus's frontends do. All else
// it is sent as it is: the error is what it was.
func (s *session) relocateFar(err error, name, location string) error {
	var far *elsewhere
	server, partition, ok := strings.Cut(location, "!")
	if !ok || !errors.As(err, &far) || server == far.at.entry.Server {
		return err
	}
	return s.askMove(far.at.entry.Server, "XFER", name, server, partition)
}

// askMove has a server move a mailbox to another.
func (s *session) askMove(owner, command, name, server, partition string) error {
	return s.sayMove(owner, command, func(c *imapproxy.Conn) error {
		c.String(name)
		for _, word := range []string{server, partition} {
			switch {
			case word == "":
			case imapwire.IsAtom(word):
				c.Word(word)
			default:
				c.String(word)
			}
		}
		return c.End()
	})
}

// sayMove sends a command by which something moves, and has the list catch up with what
// came of it. Cyrus answers OK whatever did, and tells the truth in untagged lines: a
// refusal there is one here.
func (s *session) sayMove(owner, command string, args func(*imapproxy.Conn) error) error {
	c, err := s.connect(owner)
	if err != nil {
		return err
	}
	defer s.release(c)
	c.Begin(s.tag, command)
	if err := args(c); err != nil {
		return s.lost(err)
	}
	s.heard = c
	refused := ""
	reply, err := c.Answer(s.tag, &imapproxy.Relay{To: s.in, Look: func(head []byte) bool {
		if refused == "" {
			refused = moveRefusal(head)
		}
		return true
	}})
	if err = s.replied(reply, err); err == nil && refused != "" {
		err = imapwire.No(refused)
	}
	s.kick()
	return err
}

// moveRefusal is the reason in "* NO USER alice (reason)"; "" of any other line.
func moveRefusal(line []byte) string {
	text := strings.TrimRight(string(line), "\r\n")
	rest, ok := strings.CutPrefix(text, "* NO USER ")
	if !ok {
		rest, ok = strings.CutPrefix(text, "* NO MAILBOX ")
	}
	if !ok {
		return ""
	}
	if i := strings.LastIndex(rest, " ("); i >= 0 && strings.HasSuffix(rest, ")") {
		return rest[i+2 : len(rest)-1]
	}
	return rest
}
