package imapserver

import (
	"gocyrus/lib/imapproxy"
)

// appendFar is APPEND to another server's mailbox, whose name has been read. The
// messages go through as they come; how large they may be the backend decides.
func (s *session) appendFar(at *place) (err error) {
	s.text, err = s.passAppend(at)
	return err
}

// passAppend passes on what is left of an APPEND, and returns the completion text.
func (s *session) passAppend(at *place) (string, error) {
	s.in.Forget()
	c, err := s.connect(at.entry.Server)
	if err != nil {
		return "", err
	}
	defer s.release(c)
	c.Begin(s.tag, "APPEND")
	c.String(at.ext)
	c.Word("")
	s.heard = c
	relay := &imapproxy.Relay{To: s.in}
	if s.farSel != nil && s.farSel.c == c {
		relay.Look = s.farSel.view.look
	}
	refused, err := c.Pass(s.tag, s.p, relay, s.srv.opts.Limits, true)
	if err != nil {
		return "", s.lost(err)
	}
	var reply imapproxy.Reply
	if refused != nil {
		reply = *refused
	} else if reply, err = c.Answer(s.tag, relay); err != nil {
		return "", s.lost(err)
	}
	return reply.Text, s.replied(reply, nil)
}
