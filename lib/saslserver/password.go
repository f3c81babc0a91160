package saslserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/auth"
	"gocyrus/lib/sasldb"
)

// maxPassword bounds a password, in octets: what is hashed for a stranger must
// not grow without end.
const maxPassword = 1024

// passwordSource is one way of sasl_pwcheck_method to check a password. The
// errors are the codes BadAuth, NoUser and Unavail.
type passwordSource interface {
	check(ctx context.Context, user, realm, password string) error
}

// passwordSources returns the sources for the words of sasl_pwcheck_method.
func (s *Server) passwordSources(words []string) ([]passwordSource, error) {
	var out []passwordSource
	for _, w := range words {
		switch w {
		case "auxprop":
			out = append(out, auxprop{s})
		case "saslauthd":
			out = append(out, saslauthd{path: s.opts.SaslauthdPath, service: s.opts.Service})
		case "alwaystrue":
			out = append(out, alwaysTrue{})
		default:
			return nil, fmt.Errorf("sasl_pwcheck_method: %q is not one of auxprop, saslauthd, alwaystrue", w)
		}
	}
	return out, nil
}

// alwaysTrue is for tests of a whole server: any password is right.
type alwaysTrue struct{}

func (alwaysTrue) check(context.Context, string, string, string) error { return nil }

// auxprop checks against the store of secrets.
type auxprop struct{ s *Server }

func (a auxprop) check(_ context.Context, user, realm, password string) error {
	if a.s.secrets == nil {
		sasldb.Waste(password)
		return NoUser
	}
	secret, err := a.s.secrets.Lookup(user, realm)
	if errors.Is(err, sasldb.ErrNotFound) || errors.Is(err, sasldb.ErrName) {
		sasldb.Waste(password)
		return NoUser
	}
	if err != nil {
		return fmt.Errorf("%w: %w", Fail, err)
	}
	if !secret.Verify(password) {
		return BadAuth
	}
	return nil
}

// verify checks the password of a canonical id with each source in turn, as
// libsasl does: the last one's error counts. No more than MaxChecks run at once,
// so that a flood of logins cannot take the machine.
func (s *Server) verify(ctx context.Context, id, password string) error {
	if len(password) > maxPassword || strings.IndexByte(password, 0) >= 0 {
		return BadAuth
	}
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-ctx.Done():
		return Unavail
	}
	user, realm := s.userRealm(id)
	var err error = NoMech
	for _, src := range s.sources {
		if err = src.check(ctx, user, realm, password); err == nil {
			return nil
		}
	}
	return err
}

// codeOf is the code in an error of a source.
func codeOf(err error) Code {
	var c Code
	if errors.As(err, &c) {
		return c
	}
	return Fail
}

// CheckPass logs a user in who gave a password without SASL: IMAP LOGIN, POP3
// USER and PASS. The error is an *Error; ErrLayer says that the connection is
// not protected enough, and is not a failed login.
func (s *Server) CheckPass(ctx context.Context, user, password string, cs ConnState) (*Identity, error) {
	id, bad := s.canon(ctx, user, cs)
	if bad != nil {
		return nil, fmt.Errorf("%s: %w", user, auth.ErrUser)
	}
	if err := s.MayLogin(id, cs); err != nil {
		return nil, err
	}
	if id == "anonymous" {
		if !s.opts.AllowAnonymous {
			return nil, ErrAnonymous
		}
		if len(password) > 500 {
			password = password[:500]
		}
		return &Identity{AuthcID: id, AuthzID: id, Mech: Plaintext, Trace: clean(password), State: auth.Anonymous}, nil
	}
	if err := s.verify(ctx, id, password); err != nil {
		return nil, fail(codeOf(err), id, "checkpass failed")
	}
	who, err := s.authorize(ctx, id, "", cs)
	if err != nil {
		return nil, err
	}
	who.Mech = Plaintext
	_, who.Detail = s.splitDetail(user)
	return who, nil
}

// Plaintext is the mechanism of CheckPass in log lines.
const Plaintext = "plaintext"

var (
	// ErrLayer is the error of a password that would cross the connection in
	// clear: "Login only available under a layer".
	ErrLayer = errors.New("login only available under a layer")
	// ErrAnonymous is the error of a login as anonymous where it is off.
	ErrAnonymous = errors.New("anonymous login refused")
)

// MayLogin says whether CheckPass could serve id on this connection, so that an
// engine can refuse before it reads the password. The error is ErrLayer.
func (s *Server) MayLogin(id string, cs ConnState) error {
	if s.opts.AllowPlaintext || cs.protected() || strings.EqualFold(id, "anonymous") {
		return nil
	}
	return ErrLayer
}

// equal compares secrets without telling by time where they differ.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
