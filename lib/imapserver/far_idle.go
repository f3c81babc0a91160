package imapserver

import (
	"errors"
	"strings"
	"time"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/prot"
)

// idleFar is IDLE when another server has the selected mailbox.
func (s *session) idleFar(p *imapwire.Parser) error {
	if s.srv.opts.IdlePoll <= 0 {
		return errUnknown
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := s.revive(); err != nil {
		return err
	}
	f := s.farSel
	relay := &imapproxy.Relay{To: s.in, Look: f.view.look}
	s.heard = f.c
	polls := !f.c.Has("IDLE")
	if !polls {
		refused, err := f.c.Idle(s.tag, relay)
		if err != nil {
			return s.lost(err)
		}
		if refused != nil {
			return s.replied(*refused, nil)
		}
	}
	s.in.WriteString("+ idling\r\n")
	wait := s.waitFar
	if polls {
		wait = s.pollFar
	}
	if err := wait(f.c, relay); err != nil {
		if !polls && f.c.Err() == nil {
			f.c.Done(s.tag, nil) // the watcher must not outlive the session
		}
		return err
	}
	w, _, err := p.Begin()
	if err != nil {
		return err
	}
	good := strings.EqualFold(w, "done") && p.EOL() == nil
	if !polls {
		err = s.replied(f.c.Done(s.tag, relay))
	}
	if err == nil && !good {
		err = errIdle
	}
	return err
}

// waitFar passes on what the backend tells until the client says something.
func (s *session) waitFar(c *imapproxy.Conn, relay *imapproxy.Relay) error {
	end := time.Now().Add(s.srv.opts.IdleTimeout)
	for {
		seen := c.Await(s.in.Interrupt)
		err := s.in.Wait(min(max(time.Until(end), time.Millisecond), s.srv.opts.IdlePoll))
		select {
		case <-seen:
			// News that came together with the client's word is passed on by Done.
			if err != nil {
				if lost := c.News(relay); lost != nil {
					return s.lostIdle(lost)
				}
			}
		default:
		}
		if done, err := s.idleOver(err, end); done {
			return err
		}
	}
}

// pollFar asks a backend that has no IDLE, every imapidlepoll.
func (s *session) pollFar(c *imapproxy.Conn, relay *imapproxy.Relay) error {
	end := time.Now().Add(s.srv.opts.IdleTimeout)
	for {
		err := s.in.Wait(min(max(time.Until(end), time.Millisecond), s.srv.opts.IdlePoll))
		if done, err := s.idleOver(err, end); done {
			return err
		}
		if _, err := s.backends().Do(c, "Noop", relay); err != nil {
			return s.lostIdle(err)
		}
	}
}

// idleOver says whether IDLE ends, by what the wait for the client said.
func (s *session) idleOver(err error, end time.Time) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case s.term.Err() != nil:
		return true, err
	case !errors.Is(err, prot.ErrInterrupted) && !errors.Is(err, prot.ErrTimeout):
		return true, err
	}
	if err := s.shutdownFile(); err != nil {
		return true, err
	}
	if !time.Now().Before(end) {
		return true, prot.ErrTimeout
	}
	return false, nil
}

// lostIdle ends IDLE when the backend is gone: the client would wait for news that
// cannot come. The command is answered; the next one finds out whether the mailbox
// is back.
func (s *session) lostIdle(err error) error { return s.lost(err) }
