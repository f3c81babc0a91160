package saslserver

import (
	"context"
	"strings"

	"gocyrus/lib/auth"
)

// authorize decides whether the canonical id authc may log in, and as authz.
// It may when its realm is welcome, user_deny.db does not name the user, and it
// is that user, an administrator, a proxy, or (loginuseacl) holds "a" on that
// user's INBOX.
func (s *Server) authorize(ctx context.Context, authc, authz string, cs ConnState) (*Identity, error) {
	user := authc
	if authz != "" {
		u, err := s.canon(ctx, authz, cs)
		if err != nil {
			return nil, err
		}
		user = u
	}
	if err := s.rules.CheckRealm(authc); err != nil {
		return nil, fail(BadAuth, user, "cross-realm login %s denied", authc)
	}
	login := s.rules.State(authc)
	if s.opts.AdminsOnly && !login.IsAdmin && !cs.trusted() {
		return nil, fail(BadAuth, user, "only admins may authenticate")
	}
	if s.deny != nil && !login.IsAdmin && s.deny(user, s.opts.Ident) {
		return nil, fail(NoAuthZ, user, "user '%s' is denied access to service '%s'", user, s.opts.Ident)
	}
	if user == authc {
		return &Identity{AuthcID: authc, AuthzID: user, State: login}, nil
	}
	if !s.mayProxy(login, user) {
		return nil, fail(BadAuth, user, "user %s is not allowed to proxy", authc)
	}
	state := *s.rules.State(user)
	state.ActsFor = authc
	return &Identity{AuthcID: authc, AuthzID: user, State: &state}, nil
}

func (s *Server) mayProxy(login *auth.State, user string) bool {
	return login.IsAdmin || login.IsProxy || s.opts.UseACL && s.mayAct != nil && s.mayAct(login, user)
}

// clean makes an administrator's message fit for one line of a protocol.
func clean(msg string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, msg)
}
