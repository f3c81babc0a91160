package imapserver

import (
	"errors"
	"strings"
	"time"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/tlsconf"
)

// handshakeLimit is how long a client may take for TLS.
const handshakeLimit = 180 * time.Second

// startTLS is STARTTLS. Where the site has not allowed it, the command does not
// exist.
func (s *session) startTLS(p *imapwire.Parser) error {
	switch {
	case !s.srv.opts.StartTLS || s.srv.tls == nil:
		return errUnknown
	case s.who != nil:
		return imapwire.Bad("Can't Starttls after authentication")
	}
	if err := p.EOL(); err != nil {
		return err
	}
	switch {
	case s.in.TLS() != nil:
		return imapwire.No("TLS already active")
	case s.in.Compressed():
		return imapwire.Bad("Can't Starttls after Compress")
	}
	// What the client sent ahead of the handshake must not be taken for
	// protected (CVE-2011-0411).
	s.in.DropInput()
	s.tagged("OK Begin TLS negotiation now")
	if err := s.handshake(); err != nil {
		return errBye
	}
	return errAnswered
}

// startImplicitTLS is for imaps, where TLS comes first.
func (s *session) startImplicitTLS() error {
	if s.srv.tls == nil {
		log.Err("error initializing TLS")
		return errors.New("no TLS configuration")
	}
	return s.handshake()
}

func (s *session) handshake() error {
	err := s.in.StartTLS(s.ctx, s.srv.tls.Config(), handshakeLimit)
	if err != nil {
		log.Notice("TLS negotiation failed: %s", s.svc.Peer())
		log.Debug("TLS: %v", err)
		return err
	}
	log.Notice("%s", tlsconf.SessionLine(s.in.TLS()))
	return nil
}

// compress is COMPRESS (RFC 4978).
func (s *session) compress(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	alg, _, err := p.Word()
	if err != nil {
		return err
	}
	if alg == "" {
		return p.Missing()
	}
	if err := p.EOL(); err != nil {
		return err
	}
	switch {
	case s.in.Compressed():
		return imapwire.Bad("[COMPRESSIONACTIVE] DEFLATE active via COMPRESS")
	case !strings.EqualFold(alg, "DEFLATE"):
		return imapwire.No("Unknown COMPRESS algorithm: " + alg)
	}
	s.tagged("OK ", alg, " active")
	if err := s.in.StartDeflate(); err != nil {
		return err
	}
	return errAnswered
}

// connState is what SASL may know of the connection.
func (s *session) connState() saslserver.ConnState {
	cs := saslserver.ConnState{TLS: s.in.TLS(), SSF: s.srv.opts.External, Local: s.in.Socket().LocalAddr()}
	if cs.TLS != nil {
		cs.Binding = s.srv.tls.Bindings(cs.TLS)
	}
	return cs
}
