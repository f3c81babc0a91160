package syncserver

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/prot"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/tlsconf"
)

// connState is what SASL may know of the connection.
func (s *conn) connState() saslserver.ConnState {
	cs := saslserver.ConnState{TLS: s.in.TLS(), SSF: s.srv.opts.External, Local: s.in.Socket().LocalAddr()}
	if cs.TLS != nil {
		cs.Binding = s.srv.tls.Bindings(cs.TLS)
	}
	return cs
}

// authenticate is AUTHENTICATE mech [initial-response].
func (s *conn) authenticate(args []string) error {
	mech := args[0]
	switch {
	case strings.ContainsAny(mech, `(){}%*"\`):
		s.reply("BAD Invalid mechanism")
		return nil
	case s.user != "":
		s.reply("BAD Already authenticated")
		return nil
	}
	var initial *string
	if len(args) > 1 {
		initial = &args[1]
	}
	id, err := s.exchange(strings.ToUpper(mech), initial)
	switch {
	case err == nil:
		return s.signIn(id, mech)
	case errors.Is(err, saslserver.ErrCanceled):
		s.reply("BAD Client canceled authentication")
	case errors.Is(err, saslserver.ErrBase64):
		s.reply("NO Error reading client response: ")
	case errors.As(err, new(*saslserver.Error)):
		log.Notice("%s", saslserver.LogBadLogin(saslserver.FormSync, s.event("", mech), err))
		s.srv.sasl.Pause(s.term)
		s.reply("NO ", saslserver.ClientText(err))
	default:
		return err
	}
	return nil
}

func (s *conn) event(user, mech string) saslserver.LoginEvent {
	return saslserver.LoginEvent{Host: s.svc.Peer(), User: user, Mech: mech, TLS: s.in.TLS() != nil}
}

// exchange carries a mechanism out.
func (s *conn) exchange(mech string, initial *string) (*saslserver.Identity, error) {
	x, err := s.srv.sasl.Start(s.ctx, mech, s.connState())
	if err != nil {
		return nil, err
	}
	return x.Dialogue(initial, s.ask)
}

// ask sends a challenge and reads the response.
func (s *conn) ask(challenge string) (string, error) {
	s.reply("+ ", challenge)
	if err := s.out.Flush(); err != nil {
		return "", err
	}
	line, err := s.in.AppendUntil(nil, &lineStop, saslserver.MaxResponse)
	if errors.Is(err, prot.ErrLong) {
		return "", errLongResponse
	}
	if err == nil {
		_, err = s.in.ReadByte()
	}
	return string(bytes.TrimSuffix(line, []byte("\r"))), err
}

var lineStop = [256]bool{'\n': true}

// errLongResponse ends the session: where the next line begins nobody knows.
var errLongResponse = errors.New("response is too long")

// signIn answers a client who has proved who he is. One who is no administrator
// may stay, and do nothing.
func (s *conn) signIn(id *saslserver.Identity, mech string) error {
	if err := s.svc.Login(id.AuthzID); err != nil {
		log.Err("%v", err)
		s.reply("NO ", err.Error())
		return nil
	}
	s.user, s.admin = id.AuthzID, id.State.IsAdmin
	log.Notice("%s", saslserver.LogLogin(s.event(s.user, mech)))
	if !s.admin {
		log.Notice("%s is no administrator", s.user)
	}
	kind := "no protection"
	if s.in.TLS() != nil {
		kind = "tls protection"
	}
	s.reply("OK Success (", kind, ")")
	if err := s.out.Flush(); err != nil {
		return err
	}
	s.startTelemetry()
	return nil
}

// handshakeLimit is how long a client may take for TLS.
const handshakeLimit = 180 * time.Second

// startTLS is STARTTLS.
func (s *conn) startTLS([]string) error {
	switch {
	case s.user != "":
		s.reply("BAD Can't Starttls after authentication")
		return nil
	case s.in.TLS() != nil:
		s.reply("BAD Already did a successful Starttls")
		return nil
	case s.in.Compressed():
		s.reply("BAD Can't Starttls under compression")
		return nil
	}
	// What the client sent ahead of the handshake must not be taken for
	// protected (CVE-2011-0411).
	s.in.DropInput()
	s.reply("OK Begin TLS negotiation now")
	if err := s.out.Flush(); err != nil {
		return err
	}
	if err := s.in.StartTLS(s.ctx, s.srv.tls.Config(), handshakeLimit); err != nil {
		log.Notice("TLS negotiation failed: %s", s.svc.Peer())
		return errBye
	}
	log.Notice("%s", tlsconf.SessionLine(s.in.TLS()))
	s.out = s.in.Writer()
	s.greet()
	return nil
}
