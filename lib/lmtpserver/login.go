package lmtpserver

import (
	"errors"
	"strings"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/smtpwire"
	"gocyrus/lib/tlsconf"
)

// postman is who a trusted client is.
const postman = "postman"

// localSSF is the strength that a unix socket counts for, in bits.
const localSSF = 2

// connState is what SASL may know of the connection.
func (s *session) connState() saslserver.ConnState {
	cs := saslserver.ConnState{TLS: s.in.TLS(), Local: s.in.Socket().LocalAddr()}
	if s.local {
		cs.External, cs.SSF = postman, localSSF
	}
	if cs.TLS != nil {
		cs.Binding = s.srv.tls.Bindings(cs.TLS)
	}
	return cs
}

// auth is AUTH (RFC 4954). Who is trusted by his socket has EXTERNAL only.
func (s *session) auth(arg string) error {
	switch {
	case s.trust == proved:
		s.reply("503 5.5.0 already authenticated")
		return nil
	case len(s.tx.to) > 0:
		s.reply("503 5.5.0 AUTH not permitted now")
		return nil
	}
	mech, initial, has := strings.Cut(arg, " ")
	mech = strings.ToUpper(mech)
	id, err := s.exchange(mech, initial, has)
	switch {
	case err == nil:
		log.Notice("%s", saslserver.LogLogin(saslserver.LoginEvent{
			Host: s.svc.Peer(), User: id.AuthzID, Mech: mech, TLS: s.in.TLS() != nil}))
		s.trust = proved
		s.peer = s.srv.isPeer(id)
		s.reply("235 Authenticated!")
	case errors.Is(err, saslserver.ErrCanceled):
		s.reply("501 5.5.4 client canceled authentication")
	case errors.Is(err, saslserver.ErrBase64):
		s.reply("501 5.5.4 Error reading client response: ")
	case errors.Is(err, saslserver.NoMech):
		s.reply("504 Unrecognized authentication type.")
	case errors.As(err, new(*saslserver.Error)):
		log.Err("%s", saslserver.LogBadLogin(saslserver.FormLMTP, saslserver.LoginEvent{
			Host: s.svc.Peer(), Mech: mech, TLS: s.in.TLS() != nil}, err))
		s.srv.sasl.Pause(s.term)
		s.reply("501 5.5.4 ", saslserver.ClientText(err))
	default:
		return err
	}
	return nil
}

// exchange carries a mechanism out.
func (s *session) exchange(mech, initial string, has bool) (*saslserver.Identity, error) {
	if s.local && mech != "EXTERNAL" {
		return nil, saslserver.NoMech
	}
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
	s.reply("334 ", challenge)
	line, err := s.r.Line(saslserver.MaxResponse)
	if errors.Is(err, smtpwire.ErrLong) {
		err = saslserver.ErrBase64
	}
	return string(line), err
}

// handshakeLimit is how long a client may take for TLS.
const handshakeLimit = 360 * time.Second

// startTLS is STARTTLS (RFC 3207). A trusted client has no need of it, and gets
// none.
func (s *session) startTLS(string) error {
	switch {
	case s.srv.tls == nil || s.local:
		s.reply("500 5.5.2 Syntax error")
		return nil
	case s.in.TLS() != nil:
		s.reply("454 4.3.3 Already successfully executed STARTTLS")
		return nil
	case len(s.tx.to) > 0:
		s.reply("503 5.5.0 STARTTLS not permitted now")
		return nil
	}
	// What the client sent ahead of the handshake must not be taken for
	// protected (CVE-2011-0411).
	s.r.Drop()
	s.in.DropInput()
	s.reply("220 Begin TLS negotiation now")
	if err := s.in.Flush(); err != nil {
		return err
	}
	if err := s.in.StartTLS(s.ctx, s.srv.tls.Config(), handshakeLimit); err != nil {
		log.Notice("TLS negotiation failed: %s", s.svc.Peer())
		return errBye
	}
	log.Notice("%s", tlsconf.SessionLine(s.in.TLS()))
	// RFC 3207 section 4.2: nothing of what was said before counts.
	s.reset()
	s.lhlo = ""
	s.id = s.ids()
	if tlsconf.PeerName(s.in.TLS()) != "" {
		// A certificate that tls_client_ca_file vouches for is enough.
		s.trust = proved
	}
	return nil
}
