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
	if err := s.beginIdle(f.c, relay); err != nil {
		return err
	}
	s.in.WriteString("+ idling\r\n")
	if err := s.idleOn(f, relay); err != nil {
		if f.c.Has("IDLE") && f.c.Err() == nil && !s.lateDone {
			f.c.Done(s.tag, nil) // the watcher must not outlive the session
		}
		return err
	}
	w, _, err := p.Begin()
	if err != nil {
		return err
	}
	good := strings.EqualFold(w, "done") && p.EOL() == nil
	if f.c.Has("IDLE") {
		err = s.replied(f.c.Done(s.tag, relay))
	}
	if err == nil && !good {
		err = errIdle
	}
	return err
}

// beginIdle has a backend watch the mailbox, where it can.
func (s *session) beginIdle(c *imapproxy.Conn, relay *imapproxy.Relay) error {
	if !c.Has("IDLE") {
		return nil
	}
	refused, err := c.Idle(s.tag, relay)
	if err == nil && refused != nil {
		return s.replied(*refused, nil)
	}
	return s.lost(err)
}

// idleAgain is how long a backend must have been there for IDLE to go on when it is
// lost: one that breaks down of IDLE would else be asked without end.
const idleAgain = 10 * time.Second

// idleOn waits until the client says something. A backend that is lost, and there again
// at once, is told to watch once more.
func (s *session) idleOn(f *farSelection, relay *imapproxy.Relay) error {
	end := time.Now().Add(s.srv.opts.IdleTimeout)
	for {
		begun := time.Now()
		wait := s.pollFar
		if f.c.Has("IDLE") {
			wait = s.waitFar
		}
		err := wait(f.c, relay, end)
		if !errors.Is(err, errRemote) {
			return err
		}
		if f.again && time.Since(begun) < idleAgain {
			return s.endIdle(err)
		}
		f.again = true
		if again := s.revive(); again != nil {
			return s.endIdle(again)
		}
		if again := s.beginIdle(f.c, relay); again != nil {
			return s.endIdle(again)
		}
	}
}

// endIdle is the end of IDLE that the client did not ask for: what it would wait for
// cannot come. The command is answered; the next one finds out whether the mailbox is
// back. A DONE that the client says before it has read the answer is no command.
func (s *session) endIdle(err error) error {
	s.lateDone = true
	return err
}

// waitFar passes on what the backend tells until the client says something.
func (s *session) waitFar(c *imapproxy.Conn, relay *imapproxy.Relay, end time.Time) error {
	for {
		seen := c.Await(s.in.Interrupt)
		err := s.in.Wait(min(max(time.Until(end), time.Millisecond), s.srv.opts.IdlePoll))
		select {
		case <-seen:
			// News that came together with the client's word is passed on by Done.
			if err != nil {
				if lost := c.News(relay); lost != nil {
					return s.lost(lost)
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
func (s *session) pollFar(c *imapproxy.Conn, relay *imapproxy.Relay, end time.Time) error {
	for {
		err := s.in.Wait(min(max(time.Until(end), time.Millisecond), s.srv.opts.IdlePoll))
		if done, err := s.idleOver(err, end); done {
			return err
		}
		if _, err := s.backends().Do(c, "Noop", relay); err != nil {
			return s.lost(err)
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
