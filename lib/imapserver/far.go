package imapserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/acl"
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
	account string // proxy_authname, in the spelling of a userid
	ranges  int    // the most ranges of UIDs in one command
}

// maxRanges is by what a backend takes for a word: Cyrus's takes 131,072 octets, and a
// range has up to 22.
const maxRanges = 5000

// murderFrom reads the settings; nil without a murder.
func murderFrom(cfg *config.Config) *murder {
	if !cfg.IsSet("mupdate_server") {
		return nil
	}
	o := proxy.OptionsFrom(cfg)
	return &murder{opts: o, account: o.AuthName, master: mupdate.OptionsFrom(cfg), chooser: proxy.NewChooser(o), ranges: maxRanges}
}

// frontend says whether this server has no mailboxes of its own.
func (srv *Server) frontend() bool { return srv.murder != nil && srv.murder.opts.Frontend }

// unified says whether every server of the murder, and so this one, is a frontend and
// a backend in one.
func (srv *Server) unified() bool { return srv.murder != nil && srv.murder.opts.Unified }

// proxies says whether sessions of this server may go on at others.
func (srv *Server) proxies() bool { return srv.murder != nil && srv.murder.opts.Proxies() }

// mupdateWord is the capability that tells of the murder.
func (s *session) mupdateWord() []string {
	if s.srv.murder == nil {
		return nil
	}
	return []string{"MUPDATE=mupdate://" + s.srv.murder.master.Name() + "/"}
}

// notProxied are capabilities that a frontend does not have, since its backends may
// be of any version, and its clients get their answers word for word.
var notProxied = []string{"IMAP4rev2", "SEARCHRES", "X-REPLICATION", "X-SIEVE-MAILBOX", "UIDONLY", "ANNOTATEMORE", csync.CapOurs}

// notUnified are those that a server does not have in a murder where every server is
// of this kind: what they change are names, which go from server to server.
var notUnified = []string{"IMAP4rev2", "UIDONLY"}

// hereOnly are commands that would work on the frontend itself, which has nothing
// to work on. Cyrus carries them out: MUPDATEPUSH told the murder that a user lived
// on the frontend.
var hereOnly = map[string]bool{
	"Mupdatepush": true, "Localcreate": true, "Localdelete": true, "Undump": true, "Dump": true,
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
func (s *session) known(external string) (*place, error) { return s.knownWith(external, acl.Lookup) }

// knownWith is known, of a mailbox on which the user has to have some rights.
func (s *session) knownWith(external string, r acl.Rights) (*place, error) {
	n, err := s.internal(external)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mboxlist.ErrNotFound, err)
	}
	at, err := s.placeWith(n, r)
	if far := (*elsewhere)(nil); errors.As(err, &far) {
		at, err = far.at, nil
	}
	if err == nil {
		err = at.need(r)
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

// errAround is the error of a session that came from another server, for a mailbox
// that this one has not either: the two do not agree on who has it. Passed on, the
// session could come back, and again.
var errAround = fmt.Errorf("%w, and so is the session", errRemote)

// relayed says whether the session is a client's of another server, continued here:
// what is not here it does not find through us. Servers of a murder that share
// proxy_authname know each other by it; those that do not, by what the other said in ID.
func (s *session) relayed() bool {
	by := s.who.State.ActsFor
	return by != "" && s.srv.murder != nil && !s.srv.frontend() && (s.idRelay || by == s.srv.murder.account)
}

// lookupFresh finds a record. Where it is not there, or only reserved, or another server's
// and without the rights that the user needs, the list may lag behind the murder's: it is
// brought up to date, once.
func (s *session) lookupFresh(n mboxname.Name, need acl.Rights) (*mboxlist.Entry, error) {
	e, err := s.srv.list.Lookup(n)
	if err != nil && !errors.Is(err, mboxlist.ErrNotFound) || s.srv.murder == nil || !s.srv.murder.master.Kicks {
		return e, err
	}
	switch {
	case err != nil || e.Deleted() || e.Is(mboxlist.FlagReserved):
	case e.Is(mboxlist.FlagRemote) && s.rights(n, e.ACL)&need != need && !s.looked:
		// A pattern may be of many that the user has no rights on, and they say no more
		// than that one.
		s.looked = true
	default:
		return e, nil
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

// errUnreached is the errRemote of a server that was not reached: it has heard nothing.
var errUnreached = fmt.Errorf("%w, which is not reached", errRemote)

// connect returns the connection to a server, which release gives back. The error is
// errRemote.
func (s *session) connect(server string) (*imapproxy.Conn, error) {
	c, err := s.backends().Get(server)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUnreached, err) // not the client's connection that failed
	}
	return c, nil
}

func (s *session) release(c *imapproxy.Conn) {
	if s.farSel == nil || s.farSel.c != c {
		s.backends().Put(c)
	}
}

// home is the other server that has the user's INBOX, "" where there is none. While the
// INBOX moves nobody knows: the error is errMoving.
func (s *session) home() (string, error) {
	if !s.srv.proxies() || s.relayed() {
		return "", nil
	}
	e, err := s.lookupFresh(mboxname.Inbox(s.user), 0)
	switch {
	case errors.Is(err, mboxlist.ErrNotFound) || err == nil && e.Deleted():
		return "", nil
	case err != nil:
		return "", err
	case e.Is(mboxlist.FlagReserved):
		return "", errMoving
	case exists(e) && e.Is(mboxlist.FlagRemote):
		return e.Server, nil
	}
	return "", nil
}

// errMoving is the error of a mailbox on its way to another server.
var errMoving = imapwire.No("Mailbox has been moved to another server")
