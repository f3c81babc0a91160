package popserver

import (
	"context"
	"errors"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/auth"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/smtpwire"
	"gocyrus/lib/tlsconf"
)

// connState is what SASL may know of the connection.
func (s *session) connState() saslserver.ConnState {
	cs := saslserver.ConnState{TLS: s.in.TLS(), SSF: s.srv.opts.External, Local: s.in.Socket().LocalAddr()}
	if cs.TLS != nil {
		cs.Binding = s.srv.tls.Bindings(cs.TLS)
	}
	return cs
}

// needsTLS says whether nothing can be done before STLS (tls_required).
func (s *session) needsTLS() bool { return s.srv.opts.TLSNeeded && s.in.TLS() == nil }

// mayUser says whether a password may cross the connection.
func (s *session) mayUser() bool {
	return !s.needsTLS() && (s.in.TLS() != nil || s.srv.opts.External > 1 || s.srv.opts.Plaintext)
}

// userCommand is USER, which is good for any name: who exists is nobody's
// business before the password.
func (s *session) userCommand(arg string) error {
	switch {
	case !s.mayUser():
		s.reply("-ERR [AUTH] USER command only available under a layer")
		return nil
	case s.name != "":
		s.reply("-ERR [AUTH] Must give PASS command")
		return nil
	}
	name, folder := s.cutFolder(arg)
	canon, err := s.srv.rules.Canon(name)
	// A dot cannot be in a user's name where it separates folders.
	local, _, _ := strings.Cut(canon, "@")
	if s.srv.rules.Virtual() == auth.VirtualOff {
		local = canon
	}
	if err != nil || s.srv.opts.Namespace.Sep() == '.' && strings.Contains(local, ".") {
		log.Notice("badlogin: %s plaintext (%s) [invalid user]", s.svc.Peer(), arg)
		s.reply("-ERR [AUTH] Invalid user")
		return nil
	}
	s.name, s.folder = canon, folder
	s.reply("+OK Name is a valid mailbox")
	return nil
}

// cutFolder takes the folder off a name, "alice+Work@example.org", where the
// site lets folders be maildrops (popsubfolders).
func (s *session) cutFolder(name string) (user, folder string) {
	if !s.srv.opts.SubFolders {
		return name, ""
	}
	user, rest, ok := strings.Cut(name, "+")
	if !ok {
		return name, ""
	}
	folder, domain, ok := strings.Cut(rest, "@")
	if ok {
		user += "@" + domain
	}
	return user, folder
}

func (s *session) pass(arg string) error {
	if s.name == "" {
		s.reply("-ERR [AUTH] Must give USER command")
		return nil
	}
	name := s.name
	s.name = ""
	id, err := s.srv.sasl.CheckPass(s.ctx, name, arg, s.connState())
	switch {
	case errors.Is(err, saslserver.ErrAnonymous):
		log.Notice("badlogin: %s anonymous login refused", s.svc.Peer())
		s.reply("-ERR [AUTH] Invalid login")
		return nil
	case err != nil:
		log.Notice("%s", saslserver.LogBadLogin(saslserver.FormIMAP, s.event(name, saslserver.Plaintext), err))
		s.srv.sasl.Pause(s.term)
		s.reply("-ERR [AUTH] Invalid login")
		return nil
	}
	if err := s.signIn(id, saslserver.Plaintext); err != nil || s.who == nil {
		return err
	}
	if d := s.srv.opts.LoginPause; d > 0 && s.in.TLS() == nil {
		s.in.Flush()
		select {
		case <-time.After(d):
		case <-s.term.Done():
		}
	}
	return nil
}

func (s *session) event(user, mech string) saslserver.LoginEvent {
	return saslserver.LoginEvent{Host: s.svc.Peer(), User: user, Mech: mech, TLS: s.in.TLS() != nil, Session: s.svc.ID()}
}

// hasSecrets says whether APOP could ever succeed.
func (srv *Server) hasSecrets(ctx context.Context) bool {
	_, err := srv.sasl.CheckAPOP(ctx, saslserver.APOP{})
	return !errors.Is(err, saslserver.NoMech)
}

// apop is APOP (RFC 1939 section 7).
func (s *session) apop(arg string) error {
	if s.needsTLS() {
		s.reply("-ERR [AUTH] APOP command only available under a layer")
		return nil
	}
	user, digest, ok := strings.Cut(arg, " ")
	if !ok {
		s.reply("-ERR [AUTH] authenticating: bad protocol / cancel")
		return nil
	}
	user, s.folder = s.cutFolder(user)
	id, err := s.srv.sasl.CheckAPOP(s.ctx, saslserver.APOP{User: user, Digest: digest, Challenge: s.challenge, Conn: s.connState()})
	if err != nil {
		log.Notice("%s", saslserver.LogBadLogin(saslserver.FormAPOP, s.event(s.challenge, "APOP"), err))
		s.srv.sasl.Pause(s.term)
		s.folder = ""
		s.reply("-ERR [AUTH] authenticating: ", saslserver.ClientText(err))
		return nil
	}
	return s.signIn(id, "APOP")
}

// auth is AUTH (RFC 5034), with an initial response or without. AUTH alone
// lists the mechanisms, as clients of old ask.
func (s *session) auth(arg string) error {
	if s.needsTLS() {
		s.reply("-ERR [AUTH] AUTH command only available under a layer")
		return nil
	}
	if arg == "" {
		s.reply("+OK List of supported mechanisms follows")
		for _, m := range s.srv.sasl.Mechanisms(s.connState()) {
			s.reply(m)
		}
		s.reply(".")
		return nil
	}
	mech, initial, has := strings.Cut(arg, " ")
	mech = strings.ToUpper(mech)
	id, err := s.exchange(mech, initial, has)
	switch {
	case err == nil:
		return s.signIn(id, mech)
	case errors.Is(err, saslserver.ErrCanceled):
		s.reply("-ERR [AUTH] Client canceled authentication")
	case errors.Is(err, saslserver.ErrBase64):
		s.reply("-ERR [AUTH] authenticating: bad protocol / cancel")
	case errors.As(err, new(*saslserver.Error)):
		log.Notice("%s", saslserver.LogBadLogin(saslserver.FormPOP, s.event("", mech), err))
		s.srv.sasl.Pause(s.term)
		s.reply("-ERR [AUTH] authenticating: ", saslserver.ClientText(err))
	default:
		return err
	}
	return nil
}

// exchange carries a mechanism out.
func (s *session) exchange(mech, initial string, has bool) (*saslserver.Identity, error) {
	x, err := s.srv.sasl.Start(s.ctx, mech, s.connState())
	if err != nil {
		return nil, err
	}
	return x.Dialogue(initialResponse(initial, has), s.ask)
}

func initialResponse(initial string, has bool) *string {
	if !has {
		return nil
	}
	return &initial
}

// ask sends a challenge and reads the response.
func (s *session) ask(challenge string) (string, error) {
	s.reply("+ ", challenge)
	line, err := s.r.Line(saslserver.MaxResponse)
	if errors.Is(err, smtpwire.ErrLong) {
		err = saslserver.ErrBase64
	}
	return string(line), err
}

// signIn opens the maildrop of a user who has proved who he is, and answers.
func (s *session) signIn(id *saslserver.Identity, mech string) error {
	user, folder := s.cutFolder(id.AuthzID)
	if s.srv.opts.SubFolders && folder == "" {
		folder = strings.TrimPrefix(id.Detail, "+") // SASL has taken it off
	}
	if folder != "" {
		s.folder = folder
	}
	s.who, s.user = id, user
	if id.AuthzID == "anonymous" {
		log.Notice("%s", saslserver.LogAnonymous(s.svc.Peer(), id.Trace))
	} else {
		name := user
		if s.folder != "" {
			name += "+" + s.folder
		}
		log.Notice("%s", saslserver.LogLogin(s.event(name, mech)))
	}
	// One who is shut out is told so here when he came by AUTH.
	if err := s.turnedAway(); err != nil {
		return err
	}
	if err := s.openDrop(); err != nil {
		return s.noDrop(err)
	}
	if err := s.svc.Login(user); err != nil {
		log.Err("%v", err)
		s.closeDrop()
		if s.far != nil {
			s.far.c.Close()
			s.far = nil
		}
		return s.noDrop(refusal(err.Error()))
	}
	if s.far != nil {
		s.startTelemetry()
		s.reply("+OK Mailbox locked and ready SESSIONID=<", s.far.c.Session, ">")
		return s.proxied()
	}
	s.svc.Proc.SetMailbox(string(s.drop.entry.Name))
	s.startTelemetry()
	s.reply("+OK Mailbox locked and ready SESSIONID=<", s.svc.ID(), ">")
	return nil
}

// noDrop answers a login that led nowhere: the client may try another.
func (s *session) noDrop(err error) error {
	s.who, s.user, s.folder = nil, "", ""
	s.reply("-ERR ", err.Error())
	return nil
}

// mayActFor says whether login holds the right a on the user's INBOX (option
// loginuseacl).
func (srv *Server) mayActFor(login *auth.State, user string) bool {
	e, err := srv.site.List.Lookup(mboxname.Inbox(user))
	return err == nil && !e.Deleted() && (!e.Is(mboxlist.FlagRemote) || srv.proxy.Proxies()) && acl.My(e.ACL, login.Member)&acl.Admin != 0
}

// handshakeLimit is how long a client may take for TLS, which Cyrus gives all of
// poptimeout after STLS.
const handshakeLimit = 180 * time.Second

// stls is STLS (RFC 2595 section 4).
func (s *session) stls(string) error {
	if s.in.TLS() != nil {
		s.reply("-ERR Already successfully executed STLS")
		return nil
	}
	// What the client sent ahead of the handshake must not be taken for
	// protected (CVE-2011-0411).
	s.r.Drop()
	s.in.DropInput()
	s.reply("+OK Begin TLS negotiation now")
	if err := s.in.Flush(); err != nil {
		return err
	}
	// RFC 2595 section 4: what was said before does not count.
	s.name, s.folder = "", ""
	if err := s.handshake(); err != nil {
		return errBye
	}
	return nil
}

func (s *session) handshake() error {
	if s.srv.tls == nil {
		log.Err("[pop3d] error initializing TLS")
		return errors.New("no TLS configuration")
	}
	if err := s.in.StartTLS(s.ctx, s.srv.tls.Config(), handshakeLimit); err != nil {
		log.Notice("TLS negotiation failed: %s", s.svc.Peer())
		return err
	}
	log.Notice("%s", tlsconf.SessionLine(s.in.TLS()))
	return nil
}
