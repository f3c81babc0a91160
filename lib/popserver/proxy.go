package popserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/prot"
)

// farDrop is a maildrop that another server has. From login on what the client says
// is for that server, and its answers are for the client, octet by octet.
type farDrop struct {
	server string
	c      *backend.Conn
}

// kickLimit bounds the wait for the murder's list.
const kickLimit = 10 * time.Second

// lookup finds the record of a maildrop. Where there is none, or it is reserved, the
// list of a frontend may lag behind, and is brought up to date once.
func (s *session) lookup(name mboxname.Name) (*mboxlist.Entry, error) {
	e, err := s.srv.site.List.Lookup(name)
	if !s.srv.master.Kicks || err == nil && !e.Deleted() && !e.Is(mboxlist.FlagReserved) ||
		err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return e, err
	}
	if !s.caughtUp() {
		return e, err
	}
	return s.srv.site.List.Lookup(name)
}

// caughtUp has the list catch up with the murder's.
func (s *session) caughtUp() bool {
	if !s.srv.master.Kicks {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, kickLimit)
	defer cancel()
	err := s.srv.master.Kick(ctx)
	if err != nil {
		log.Err("%v", err)
	}
	return err == nil
}

// relayed says whether the session is a client's of another server, continued here: what
// is not here it does not find through us, or two servers that each believe the other to
// have a maildrop would pass the session to and fro without end.
func (s *session) relayed() bool {
	by := s.who.State.ActsFor
	if by == "" || !s.srv.proxy.Unified {
		return false
	}
	account, err := s.srv.rules.Canon(s.srv.proxy.AuthName)
	return err == nil && by == account || s.srv.rules.State(by).IsProxy
}

// openFar logs the user in at the server that has the maildrop.
func (s *session) openFar(e *mboxlist.Entry) error {
	name := s.user
	if s.folder != "" {
		name += "+" + s.folder
	}
	c, err := s.srv.proxy.Dial(s.ctx, backend.POP3, e.Server, name)
	if err != nil {
		log.Err("couldn't authenticate to backend server: %v", err)
		return refusal("Authentication to backend server failed")
	}
	if s.srv.opts.Audit {
		log.Notice("auditlog: proxy %s sessionid=<%s> remote=<%s>", s.user, s.svc.ID(), c.Session)
	}
	s.far = &farDrop{e.Server, c}
	return nil
}

// proxied carries octets both ways until one side has had enough.
func (s *session) proxied() error {
	c := s.far.c
	defer c.Close()
	done := make(chan error, 1)
	if err := s.in.Flush(); err != nil {
		return err
	}
	out := s.in.Writer()
	go func() {
		done <- answers(out, c)
		s.in.Interrupt()
	}()
	err := s.commands(c, done)
	c.Close() // ends answers
	if err != nil {
		<-done
	}
	return errors.Join(err, errBye)
}

// commands carries what the client says. It returns nil when answers has ended.
func (s *session) commands(c *backend.Conn, done <-chan error) error {
	if b := s.r.Taken(); len(b) > 0 { // sent behind the password
		if err := s.toBackend(c, b); err != nil {
			return err
		}
	}
	buf := make([]byte, 4096)
	for {
		if err := s.in.Wait(s.srv.opts.Timeout); err != nil {
			if !errors.Is(err, prot.ErrInterrupted) || s.term.Err() != nil {
				return err
			}
			select {
			case err := <-done:
				log.Debug("%s: %s: %v", s.user, s.far.server, err)
				return nil
			default:
				continue
			}
		}
		n, err := s.in.Read(buf[:min(len(buf), max(s.in.Buffered(), 1))])
		if err != nil {
			return err
		}
		if err := s.toBackend(c, buf[:n]); err != nil {
			return err
		}
	}
}

func (s *session) toBackend(c *backend.Conn, b []byte) error {
	c.NetConn().SetWriteDeadline(time.Now().Add(s.srv.opts.Timeout))
	c.Writer().Write(b)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("%s: %w", s.far.server, err)
	}
	return nil
}

// answers carries what the backend says. A client that does not read holds up
// nobody else, and for no longer than the connection's time limit.
func answers(out *prot.Conn, c *backend.Conn) error {
	r := c.Reader()
	for {
		if r.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if _, err := r.Peek(1); err != nil {
			return err
		}
		b, _ := r.Peek(r.Buffered())
		if _, err := out.Write(b); err != nil {
			return err
		}
		r.Discard(len(b))
	}
}
