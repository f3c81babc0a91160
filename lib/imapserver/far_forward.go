package imapserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
)

// client is where the answers of a backend go.
func (s *session) client() *imapproxy.Relay { return &imapproxy.Relay{To: s.in} }

// aside is where untagged answers go during a command of ours on a connection: what
// they say of the selected mailbox the client must hear.
func (s *session) aside(c *imapproxy.Conn) *imapproxy.Relay {
	if s.farSel == nil || s.farSel.c != c {
		return nil
	}
	return &imapproxy.Relay{To: s.in, Look: s.farSel.view.look}
}

// forward passes a command on that turned out to be about another server's mailbox. When
// that server is not reached, or says that it does not have the mailbox any more, it is
// looked where that is now: the list may lag behind the murder's.
func (s *session) forward(c command, at *place) error {
	err := s.forwardTo(c, at)
	stale := errors.Is(err, errUnreached) || errors.Is(err, errMoving) && len(s.in.Recorded()) > 0
	if !stale || !s.kick() {
		return err
	}
	now, look := s.srv.list.Lookup(at.name)
	if look != nil || !exists(now) || !now.Is(mboxlist.FlagRemote) || now.Is(mboxlist.FlagMoving) || now.Server == at.entry.Server {
		return err
	}
	at.entry = now
	return s.forwardTo(c, at)
}

func (s *session) forwardTo(c command, at *place) error {
	switch {
	case s.refers(c):
		return s.referral(at)
	case c.far != nil:
		return c.far(s, at)
	}
	return s.relay(at.entry.Server)
}

// relay passes the command on as the client wrote it.
func (s *session) relay(server string) error {
	return s.askFar(server, func(c *imapproxy.Conn) error { return c.Again(s.in.Recorded()) })
}

// askFar sends the command with the arguments that args writes, and takes the answer
// for our own.
func (s *session) askFar(server string, args func(*imapproxy.Conn) error) error {
	c, err := s.connect(server)
	if err != nil {
		return err
	}
	defer s.release(c)
	c.Begin(s.tag, strings.ToUpper(s.name))
	if err := args(c); err != nil {
		return s.lost(err)
	}
	s.heard = c
	return s.replied(c.Answer(s.tag, s.client()))
}

// replied makes a backend's answer ours.
func (s *session) replied(r imapproxy.Reply, err error) error {
	switch {
	case err != nil:
		return s.lost(err)
	case r.Status == "NO":
		return imapwire.No(r.Text)
	case r.Status == "BAD":
		return imapwire.Bad(r.Text)
	}
	s.text = r.Text
	return nil
}

// lost is the answer where a backend was lost. When the client has half an answer
// of it nothing but the end of the session can be understood.
func (s *session) lost(err error) error {
	switch {
	case errors.Is(err, imapproxy.ErrTorn):
		log.Err("%s %s: %v", s.user, s.name, err)
		return imapwire.Fatal("Fatal error: Lost connection to selected backend")
	case errors.Is(err, imapproxy.ErrLost):
		log.Err("%s %s: %v", s.user, s.name, err)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		return fmt.Errorf("%w: %s", errRemote, err)
	}
	return err
}

// relayChange is relay for what changes the murder's list: the change is there for
// the client's next command.
func (s *session) relayChange(at *place) error {
	err := s.relay(at.entry.Server)
	if err == nil {
		s.kick()
	}
	return err
}

// refers says whether the client is sent to the other server itself (RFC 2193): it
// has shown by RLIST, RLSUB or LIST (REMOTE) that it can follow.
func (s *session) refers(c command) bool {
	if !s.referrals || s.srv.murder.opts.NoReferrals {
		return false
	}
	return c.how&refer != 0 || c.how&referAdmin != 0 && s.admin || s.name == "Status" && s.srv.murder.opts.StatusReferral
}

func (s *session) referral(at *place) error {
	mech := "*"
	if s.user == "anonymous" {
		mech = "anonymous"
	}
	path := (&url.URL{Path: at.ext}).EscapedPath()
	return imapwire.No("[REFERRAL imap://;AUTH=" + mech + "@" + at.entry.Server + "/" + path + "] Remote mailbox.")
}

// eachServer passes a command on to several servers, one after the other. The first
// that refuses is the answer.
func (s *session) eachServer(servers []string) error {
	args := bytes.Clone(s.in.Recorded())
	for _, server := range servers {
		if err := s.askFar(server, func(c *imapproxy.Conn) error { return c.Again(args) }); err != nil {
			return err
		}
	}
	return nil
}
