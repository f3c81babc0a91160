package imapserver

import (
	"errors"
	"strings"
	"time"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/prot"
)

// watcher wakes sessions when a mailbox changes; *idle.Hub is one.
type watcher interface {
	Watch(key string) (wake <-chan struct{}, stop func())
}

// idle is IDLE (RFC 2177): news is told as it happens, until the client says
// DONE.
func (s *session) idle(p *imapwire.Parser) error {
	if s.srv.opts.IdlePoll <= 0 {
		return errUnknown
	}
	if err := p.EOL(); err != nil {
		return err
	}
	s.in.WriteString("+ idling\r\n")
	stop := s.watch()
	err := s.idleWait()
	stop()
	if err != nil {
		return err
	}
	w, _, err := p.Begin()
	if err != nil {
		return err
	}
	if !strings.EqualFold(w, "done") || p.EOL() != nil {
		return errIdle
	}
	return nil
}

// watch makes changes of the selected mailbox interrupt the wait for input; the
// result ends that.
func (s *session) watch() (stop func()) {
	key := s.idleKey()
	if key == "" || s.srv.hub == nil {
		return func() {}
	}
	wake, unwatch := s.srv.hub.Watch(key)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case _, ok := <-wake:
				if !ok {
					return
				}
				s.in.Interrupt()
			case <-done:
				return
			}
		}
	}()
	return func() {
		unwatch()
		close(done)
	}
}

// idleWait tells news until the client sends something. Besides the wake-ups
// it looks by itself from time to time, for changes that no one told of.
func (s *session) idleWait() error {
	end := time.Now().Add(s.srv.opts.IdleTimeout)
	for {
		if err := s.sendUpdates(true); err != nil {
			return err
		}
		if err := s.shutdownFile(); err != nil {
			return err
		}
		left := time.Until(end)
		if left <= 0 {
			return prot.ErrTimeout
		}
		err := s.in.Wait(min(left, s.srv.opts.IdlePoll))
		switch {
		case err == nil:
			return nil
		case s.term.Err() != nil:
			return err
		case errors.Is(err, prot.ErrInterrupted), errors.Is(err, prot.ErrTimeout):
		default:
			return err
		}
	}
}

// errIdle is the error of anything but DONE.
var errIdle = imapwire.Bad("Invalid Idle continuation")
