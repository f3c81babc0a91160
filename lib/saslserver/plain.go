package saslserver

import (
	"bytes"

	"github.com/emersion/go-sasl"
)

// startPlain serves PLAIN (RFC 4616).
func startPlain(x *Exchange) stepper {
	return sasl.NewPlainServer(func(authz, user, password string) error {
		return x.password(authz, user, password, "Password verification failed")
	})
}

// password checks a password and lets the user act as authz.
func (x *Exchange) password(authz, user, password, detail string) error {
	id, bad := x.srv.canon(x.ctx, user, x.conn)
	if bad != nil {
		return bad
	}
	if err := x.srv.verify(x.ctx, id, password); err != nil {
		e := fail(codeOf(err), id, "%s", detail)
		if e.Code == NoUser {
			e.User = "" // libsasl has not got as far as the name then
		}
		return e
	}
	return x.accept(user, id, authz)
}

// startAnonymous serves ANONYMOUS (RFC 4505).
func startAnonymous(x *Exchange) stepper {
	return sasl.NewAnonymousServer(func(trace string) error {
		if err := x.accept("", "anonymous", ""); err != nil {
			return err
		}
		x.id.Trace = clean(trace)
		return nil
	})
}

// startExternal serves EXTERNAL (RFC 4422 appendix A). A response names whom to
// act as.
func startExternal(x *Exchange) stepper {
	return sasl.NewExternalServer(func(authz string) error {
		name := x.conn.external()
		id, bad := x.srv.canon(x.ctx, name, x.conn)
		if bad != nil {
			return bad
		}
		return x.accept(name, id, authz)
	})
}

// login serves LOGIN, which no RFC describes: two prompts, two answers. An
// initial response is the first answer.
type login struct {
	x       *Exchange
	user    []byte
	hasUser bool
}

func startLogin(x *Exchange) stepper { return &login{x: x} }

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.hasUser:
		return []byte("Username:"), false, nil
	case !l.hasUser:
		l.user, l.hasUser = bytes.Clone(response), true
		return []byte("Password:"), false, nil
	}
	err = l.x.password("", string(l.user), string(response), "checkpass failed")
	return nil, err == nil, err
}
