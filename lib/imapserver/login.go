package imapserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/proc"
	"gocyrus/lib/saslserver"
)

// greet says who the server is, how much of it the option serverinfo decides.
func (s *session) greet() {
	line := s.capabilityCode(true)
	if s.srv.opts.ServerInfo != "off" {
		line += " " + s.srv.opts.ServerName
	}
	if s.srv.opts.ServerInfo == "on" {
		line += " Cyrus IMAP " + s.srv.opts.Version
	}
	s.untagged("OK ", line, " server ready")
	if text, ok := s.srv.messages.MOTD(); ok {
		s.untagged("OK [ALERT] ", alertText(text))
	}
}

var (
	errLoginLayer = imapwire.No("Login only available under a layer")
	errAuthLayer  = imapwire.No("Authenticate only available under a layer")
	errCanceled   = imapwire.Bad("Client canceled authentication")
)

// login is LOGIN. The password is not read where it could not be used: Cyrus
// refuses before.
func (s *session) login(p *imapwire.Parser) error {
	user, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	if s.who != nil {
		return imapwire.Bad("Already logged in")
	}
	if s.needsTLS() {
		return errLoginLayer
	}
	cs := s.connState()
	if errors.Is(s.srv.sasl.MayLogin(user, cs), saslserver.ErrLayer) {
		return errLoginLayer
	}
	p.SetCommand("LOGIN", "") // from here on Cyrus's texts say it in capitals
	password, err := p.AString()
	if errors.As(err, new(imapwire.Bad)) {
		return p.Extra()
	}
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	id, err := s.checkPass(user, password, cs)
	if err != nil {
		return s.refuse(user, saslserver.Plaintext, err, "Login failed: ")
	}
	if err := s.signIn(id, "User logged in"); err != nil {
		return err
	}
	return s.plaintextNag()
}

func (s *session) checkPass(user, password string, cs saslserver.ConnState) (*saslserver.Identity, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.opts.Timeout)
	defer cancel()
	return s.srv.sasl.CheckPass(ctx, user, password, cs)
}

// plaintextNag makes a login without protection slow and tells of it, where the
// site wants that.
func (s *session) plaintextNag() error {
	if s.secured() {
		return nil
	}
	if d := s.srv.opts.LoginPause; d > 0 {
		s.in.Flush()
		select {
		case <-time.After(d):
		case <-s.ctx.Done():
		}
	}
	s.alert = s.srv.opts.LoginAlert
	return nil
}

// authenticate is AUTHENTICATE, with an initial response (RFC 4959) or without.
func (s *session) authenticate(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	mech, end, err := p.Word()
	if err != nil {
		return err
	}
	if !imapwire.IsAtom(mech) {
		return imapwire.Bad("Invalid authenticate mechanism")
	}
	initial, has := "", end == ' '
	if has {
		p.SP()
		if initial, _, err = p.Word(); err != nil {
			return err
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if s.who != nil {
		return imapwire.Bad("Already authenticated")
	}
	if s.needsTLS() {
		return errAuthLayer
	}
	mech = strings.ToUpper(mech)
	id, err := s.exchange(mech, initial, has)
	if err != nil {
		if isFatal(err) || errors.Is(err, errCanceled) {
			return err
		}
		return s.refuse("", mech, err, "")
	}
	protection := "no protection"
	if s.in.TLS() != nil {
		protection = "tls protection"
	}
	return s.signIn(id, "Success ("+protection+")")
}

// exchange carries a mechanism out.
func (s *session) exchange(mech, initial string, has bool) (*saslserver.Identity, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.opts.Timeout)
	defer cancel()
	x, err := s.srv.sasl.Start(ctx, mech, s.connState())
	if err != nil {
		return nil, err
	}
	var given *string
	if has {
		given = &initial
	}
	id, err := x.Dialogue(given, s.ask)
	switch {
	case errors.Is(err, saslserver.ErrCanceled):
		err = errCanceled
	case errors.Is(err, saslserver.ErrBase64):
		err = &saslserver.Error{Code: saslserver.BadProt, Detail: "bad base64"}
	}
	return id, err
}

// ask sends a challenge and reads the response.
func (s *session) ask(challenge string) (string, error) {
	s.in.Commit(append(append(append(s.in.Scratch(), "+ "...), challenge...), "\r\n"...))
	if err := s.in.Wait(s.srv.opts.Timeout); err != nil {
		return "", err
	}
	line, err := s.in.AppendUntil(nil, &untilLF, saslserver.MaxResponse)
	if err != nil {
		return "", err
	}
	s.in.ReadByte()
	return string(bytes.TrimSuffix(line, []byte("\r"))), nil
}

var untilLF = [256]bool{'\n': true}

// refuse logs a login that failed, waits, and gives the words for the client.
func (s *session) refuse(user, mech string, err error, prefix string) error {
	var e *saslserver.Error
	if errors.As(err, &e) && e.User != "" {
		user = e.User
	}
	log.Notice("%s", saslserver.LogBadLogin(saslserver.FormIMAP,
		saslserver.LoginEvent{Host: s.svc.Peer(), User: user, Mech: mech, TLS: s.in.TLS() != nil}, err))
	s.srv.sasl.Pause(s.ctx)
	return imapwire.No(prefix + saslserver.ClientText(err))
}

// signIn makes the session id's.
func (s *session) signIn(id *saslserver.Identity, text string) error {
	if err := s.svc.Login(id.AuthzID); err != nil {
		var over *proc.OverLimit
		if errors.As(err, &over) {
			log.Err("%s", over)
			return imapwire.No(over.Error())
		}
		return err
	}
	s.who = id
	s.user = id.AuthzID
	s.admin = id.State.IsAdmin
	s.view = s.srv.opts.Namespace.View(s.user, s.admin)
	s.state = signed
	s.read, s.sent = s.in.Counters()
	s.logLogin(id)
	s.startTelemetry()
	s.autocreate()
	s.text = fmt.Sprintf("%s %s SESSIONID=<%s>", s.capabilityCode(false), text, s.svc.ID())
	return nil
}

func (s *session) logLogin(id *saslserver.Identity) {
	if id.AuthzID == "anonymous" {
		log.Notice("%s", saslserver.LogAnonymous(s.svc.Peer(), id.Trace))
		return
	}
	log.Notice("%s", saslserver.LogLogin(saslserver.LoginEvent{
		Host: s.svc.Peer(), User: s.user, Mech: id.Mech, TLS: s.in.TLS() != nil, Session: s.svc.ID(),
	}))
}

// unauthenticate is for administrators, who may become another (RFC 8437): all
// is as after the greeting but for TLS.
func (s *session) unauthenticate(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.admin && !s.who.State.IsProxy {
		return errUnknown
	}
	s.signOut()
	s.svc.Proc.SetUser("")
	s.in.StopTelemetry()
	s.tagged("OK ", s.capabilityCode(true), " Completed")
	if err := s.in.EndDeflate(); err != nil {
		return err
	}
	return errAnswered
}
