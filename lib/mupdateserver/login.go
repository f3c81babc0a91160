package mupdateserver

import (
	"errors"
	"strings"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proc"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/tlsconf"
)

// connState is what SASL may know of the connection.
func (s *session) connState() saslserver.ConnState {
	cs := saslserver.ConnState{TLS: s.in.TLS(), Local: s.in.Socket().LocalAddr()}
	if cs.TLS != nil {
		cs.Binding = s.srv.tls.Bindings(cs.TLS)
	}
	return cs
}

// badAuth is what a client is told of any failure: Cyrus's library has no text
// for it here.
const badAuth = "undefined error!"

// authenticate is AUTHENTICATE. Only administrators have business here.
func (s *session) authenticate(args []string) error {
	if s.user != "" {
		s.reply("BAD", "already authenticated")
		return nil
	}
	mech := strings.ToUpper(args[0])
	id, err := s.exchange(mech, args[1:])
	event := saslserver.LoginEvent{Host: s.svc.Peer(), Mech: mech, TLS: s.in.TLS() != nil}
	switch {
	case err == nil:
		event.User = id.AuthzID
		log.Notice("%s", saslserver.LogLogin(event))
		// Nobody counts the logins of servers.
		_ = s.svc.Proc.Login(id.AuthzID, proc.Limits{})
		s.user = id.AuthzID
		s.reply("OK", "Authenticated")
		s.startTelemetry()
	case errors.Is(err, saslserver.ErrCanceled):
		s.write(s.tag, " NO Client canceled authentication\r\n")
	case errors.Is(err, saslserver.ErrBase64):
		s.write(s.tag, " NO Error reading client response: \r\n")
	case errors.As(err, new(*saslserver.Error)) || errors.As(err, new(saslserver.Code)):
		log.Err("%s", saslserver.LogBadLogin(saslserver.FormLMTP, event, err))
		s.srv.sasl.Pause(s.term)
		s.reply("NO", badAuth)
	default:
		return err
	}
	return nil
}

// exchange carries a mechanism out: base64 lines each way, without a prefix.
func (s *session) exchange(mech string, initial []string) (*saslserver.Identity, error) {
	x, err := s.srv.sasl.Start(s.ctx, mech, s.connState())
	if err != nil {
		return nil, err
	}
	var first *string
	if len(initial) > 0 {
		first = &initial[0]
	}
	return x.Dialogue(first, s.ask)
}

// ask sends a challenge and reads the response.
func (s *session) ask(challenge string) (string, error) {
	s.write(challenge, "\r\n")
	if s.in.Buffered() == 0 {
		if err := s.in.Flush(); err != nil {
			return "", err
		}
	}
	text, err := s.r.Response()
	if errors.Is(err, mupdate.ErrTooLong) {
		return "", err
	}
	return text, err
}

// handshakeLimit is how long a client may take for TLS.
const handshakeLimit = 180 * time.Second

// startTLS is STARTTLS.
func (s *session) startTLS([]string) error {
	// What the client sent ahead of the handshake must not be taken for
	// protected (CVE-2011-0411).
	s.in.DropInput()
	switch {
	case s.user != "":
		s.write(s.tag, " BAD Can't Starttls after authentication\r\n")
		return nil
	case s.in.Compressed():
		s.write(s.tag, " BAD Can't Starttls after Compress\r\n")
		return nil
	case s.in.TLS() != nil:
		s.write(s.tag, " BAD Already did a successful Starttls\r\n")
		return nil
	}
	s.write(s.tag, " OK Begin TLS negotiation now\r\n")
	if err := s.in.Flush(); err != nil {
		return err
	}
	if err := s.in.StartTLS(s.ctx, s.srv.tls.Config(), handshakeLimit); err != nil {
		// Cyrus's whole process would end here.
		log.Notice("TLS negotiation failed: %s", s.svc.Peer())
		return errBye
	}
	log.Notice("%s", tlsconf.SessionLine(s.in.TLS()))
	s.greet()
	return nil
}

// compress is COMPRESS, which needs no login.
func (s *session) compress(args []string) error {
	switch {
	case s.in.Compressed():
		s.write(s.tag, " BAD DEFLATE active via COMPRESS\r\n")
	case !strings.EqualFold(args[0], "DEFLATE"):
		s.write(s.tag, " NO Unknown COMPRESS algorithm: ", oneLine(args[0]), "\r\n")
	default:
		s.write(s.tag, " OK ", args[0], " active\r\n")
		return s.in.StartDeflate()
	}
	return nil
}

// oneLine keeps an argument that is repeated from becoming lines of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

// startTelemetry copies the session into log/USER, where an administrator has
// made that directory.
func (s *session) startTelemetry() {
	if f := s.svc.Telemetry(s.srv.opts.LogDir, s.user); f != nil {
		s.in.StartTelemetry(f)
	}
}
