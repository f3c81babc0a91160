package imapserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proxy"
)

// murder is what a server has to do with the other servers of its murder.
type murder struct {
	opts    *proxy.Options
	master  mupdate.Options
	chooser *proxy.Chooser
	list    string // mupdate_server, as the capability tells it
}

// murderFrom reads the settings; nil without a murder.
func murderFrom(cfg *config.Config) *murder {
	if !cfg.IsSet("mupdate_server") {
		return nil
	}
	o := proxy.OptionsFrom(cfg)
	return &murder{opts: o, master: mupdate.OptionsFrom(cfg), chooser: proxy.NewChooser(o), list: cfg.Str("mupdate_server")}
}

// frontend says whether this server has no mailboxes of its own.
func (srv *Server) frontend() bool { return srv.murder != nil && srv.murder.opts.Frontend }

// mupdateWord is the capability that tells of the murder.
func (s *session) mupdateWord() []string {
	if s.srv.murder == nil {
		return nil
	}
	return []string{"MUPDATE=mupdate://" + s.srv.murder.list + "/"}
}

// notProxied are capabilities that a frontend does not have, since its backends may
// be of any version, and its clients get their answers word for word.
var notProxied = []string{"IMAP4rev2", "REPLACE", "SEARCHRES", "X-REPLICATION", "X-SIEVE-MAILBOX", "UIDONLY", "ANNOTATEMORE", csync.CapOurs}

// hereOnly are commands that would work on the frontend itself, which has nothing
// to work on. Cyrus carries them out: MUPDATEPUSH told the murder that a user lived
// on the frontend.
var hereOnly = map[string]bool{
	"Mupdatepush": true, "Localcreate": true, "Localdelete": true, "Undump": true, "Dump": true, "Xfer": true,
}

// notHere is the error of a command that a frontend does not carry out.
func (s *session) notHere(name string) error {
	if s.srv.frontend() && (hereOnly[name] || strings.HasPrefix(name, "Sync")) {
		return imapwire.No(strings.ToUpper(name) + " is not supported by a frontend")
	}
	return nil
}

// elsewhere is the error of a mailbox that another server has. The command is
// passed on to that one.
type elsewhere struct{ at *place }

func (e *elsewhere) Error() string { return fmt.Sprintf("%s is on %s", e.at.name, e.at.entry.Server) }

func (e *elsewhere) Is(target error) bool { return target == errRemote }

// known is locate for what the list alone can answer, wherever the mailbox is.
func (s *session) known(external string) (*place, error) {
	at, err := s.locate(external)
	var far *elsewhere
	if errors.As(err, &far) {
		return far.at, nil
	}
	return at, err
}

// far is the error elsewhere for a mailbox that another server has, and nil for
// what is decided here. On a frontend nothing is.
func (s *session) far(n mboxname.Name) error {
	if s.srv.murder == nil {
		return nil
	}
	_, err := s.place(n)
	if errors.Is(err, errRemote) || s.srv.frontend() {
		return err
	}
	return nil
}

// lookup finds a record. Where it is not there, or only reserved, the list may lag
// behind the murder's: it is brought up to date, once.
func (s *session) lookupFresh(n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := s.srv.list.Lookup(n)
	if s.srv.murder == nil || !s.srv.murder.master.Kicks || err == nil && !e.Deleted() && !e.Is(mboxlist.FlagReserved) ||
		err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return e, err
	}
	if !s.kick() {
		return e, err
	}
	return s.srv.list.Lookup(n)
}

// kickLimit bounds the wait for the slave: a session goes on with what is known.
const kickLimit = 10 * time.Second

// kick has the list catch up with the murder's.
func (s *session) kick() bool {
	if s.srv.murder == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, kickLimit)
	defer cancel()
	if err := s.srv.murder.master.Kick(ctx); err != nil {
		log.Err("%v", err)
		return false
	}
	return true
}

// backends are the session's connections to other servers.
func (s *session) backends() *imapproxy.Set {
	if s.set == nil {
		s.set = imapproxy.NewSet(s.ctx, s.srv.murder.opts, s.user, s.srv.opts.Timeout, s.auditProxy)
	}
	return s.set
}

// auditProxy notes which session of a backend this one goes on in.
func (s *session) auditProxy(_ string, c *backend.Conn) {
	if s.srv.opts.Audit {
		log.Notice("auditlog: proxy %s sessionid=<%s> remote=<%s>", s.user, s.svc.ID(), c.Session)
	}
}

// endProxy leaves all other servers.
func (s *session) endProxy() {
	if s.farSel != nil {
		s.farSel = nil
		s.svc.Proc.SetMailbox("")
	}
	if s.set != nil {
		s.set.Close()
		s.set = nil
	}
}

// connect returns the connection to a server, which release gives back. The error is
// errRemote.
func (s *session) connect(server string) (*imapproxy.Conn, error) {
	c, err := s.backends().Get(server)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errRemote, err) // not the client's connection that failed
	}
	return c, nil
}

func (s *session) release(c *imapproxy.Conn) {
	if s.farSel == nil || s.farSel.c != c {
		s.backends().Put(c)
	}
}

// client is where the answers of a backend go.
func (s *session) client() *imapproxy.Relay { return &imapproxy.Relay{To: s.in} }

// forward passes a command on that turned out to be about another server's mailbox.
func (s *session) forward(c command, at *place) error {
	switch {
	case c.in == selected:
		return imapwire.No(strings.ToUpper(s.name) + " to a mailbox of another server is not supported by this server")
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

// home is the server that has the user's INBOX, "" where nobody has.
func (s *session) home() string {
	e, err := s.lookupFresh(mboxname.Inbox(s.user))
	if err != nil || !exists(e) || !e.Is(mboxlist.FlagRemote) {
		return ""
	}
	return e.Server
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
