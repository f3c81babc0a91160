package saslserver

import (
	"context"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"

	"gocyrus/lib/auth"
)

// maxResponse bounds what a client may send in one step, in octets. Kerberos
// tickets and bearer tokens are the longest.
const maxResponse = 64 << 10

// stepper is one mechanism at work. It has go-sasl's form, but its errors are
// *Error.
type stepper = sasl.Server

// Exchange is one authentication under way. It serves one goroutine.
type Exchange struct {
	ctx  context.Context
	srv  *Server
	conn ConnState
	mech string
	step stepper
	over bool
	id   *Identity
}

// Next takes the client's next response, nil where it sent none, and returns
// the next challenge. When done, the client is authenticated and Identity says
// who it is; a challenge returned with done is additional data with success,
// which a protocol without a place for it sends as one more challenge.
//
// The error is an *Error, and ends the exchange.
func (x *Exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if x.over {
		return nil, true, fail(NotDone, "", "exchange is over")
	}
	if len(response) > maxResponse {
		x.over = true
		return nil, true, fail(BadProt, "", "response too long")
	}
	challenge, done, err = x.step.Next(response)
	if err != nil {
		x.over = true
		return nil, true, x.asError(err)
	}
	if done {
		x.over = true
		if x.id == nil {
			return nil, true, fail(Fail, "", "mechanism %s named nobody", x.mech)
		}
	}
	return challenge, done, nil
}

// Mech is the name of the mechanism, in capitals.
func (x *Exchange) Mech() string { return x.mech }

// Identity returns who has authenticated, nil before Next said done.
func (x *Exchange) Identity() *Identity { return x.id }

// asError makes go-sasl's errors, which all mean a malformed response, ours.
func (x *Exchange) asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return fail(BadProt, "", "%v", err)
}

// accept ends an exchange whose client gave the name given, has proved to be
// authc and wants to act as authz, which is empty for the same.
func (x *Exchange) accept(given, authc, authz string) error {
	id, err := x.srv.authorize(x.ctx, authc, authz, x.conn)
	if err != nil {
		return err
	}
	id.Mech = x.mech
	if authz != "" {
		given = authz
	}
	_, id.Detail = x.srv.splitDetail(given)
	x.id = id
	return nil
}

// splitDetail takes "+Work" off a name, where the service takes such names. A
// domain after it stays with the name.
func (s *Server) splitDetail(name string) (bare, detail string) {
	i := strings.IndexByte(name, '+')
	if !s.opts.Detail || i < 0 {
		return name, ""
	}
	end := len(name)
	if s.rules.Virtual() != auth.VirtualOff {
		if at := strings.IndexByte(name[i:], '@'); at >= 0 {
			end = i + at
		}
	}
	return name[:i] + name[end:], name[i:end]
}

// canon is the canonical form of a name the client gave.
func (s *Server) canon(ctx context.Context, name string, cs ConnState) (string, *Error) {
	name, _ = s.splitDetail(name)
	id, err := s.rules.CanonAt(name, s.rules.DomainAt(ctx, cs.Local))
	if errors.Is(err, auth.ErrUser) {
		return "", fail(BadAuth, "", "bad userid authenticated")
	}
	if err != nil {
		return "", fail(Fail, "", "%v", err)
	}
	return id, nil
}
