package saslserver

import (
	"context"
	"slices"
	"strings"

	"gocyrus/lib/tlsconf"
)

// mechanism is one row of the table of mechanisms.
type mechanism struct {
	name    string
	plain   bool // the password crosses the connection in clear
	secrets bool // needs the store of secrets
	bound   bool // needs channel binding data
	usable  func(*Server, ConnState) bool
	start   func(*Exchange) stepper
}

// table returns all mechanisms there are, in the order they are offered:
// libsasl's, the strongest first.
func table() []mechanism {
	return []mechanism{
		{name: "SCRAM-SHA-512-PLUS", secrets: true, bound: true, start: startSCRAM},
		{name: "SCRAM-SHA-512", secrets: true, start: startSCRAM},
		{name: "SCRAM-SHA-256-PLUS", secrets: true, bound: true, start: startSCRAM},
		{name: "SCRAM-SHA-256", secrets: true, start: startSCRAM},
		{name: "SCRAM-SHA-1-PLUS", secrets: true, bound: true, start: startSCRAM},
		{name: "SCRAM-SHA-1", secrets: true, start: startSCRAM},
		{name: "CRAM-MD5", secrets: true, start: startCRAMMD5},
		{name: "EXTERNAL", usable: hasExternal, start: startExternal},
		{name: "OAUTHBEARER", plain: true, usable: hasTokens, start: startOAuthBearer},
		{name: "XOAUTH2", plain: true, usable: hasTokens, start: startXOAuth2},
		{name: "PLAIN", plain: true, start: startPlain},
		{name: "LOGIN", plain: true, start: startLogin},
		{name: "ANONYMOUS", usable: takesAnonymous, start: startAnonymous},
	}
}

func hasExternal(_ *Server, cs ConnState) bool   { return cs.external() != "" }
func hasTokens(s *Server, _ ConnState) bool      { return s.tokens != nil }
func takesAnonymous(s *Server, _ ConnState) bool { return s.opts.AllowAnonymous }

// Mechanisms returns the names of the mechanisms that the client may use now,
// in the order to offer them. The list changes when TLS starts.
func (s *Server) Mechanisms(cs ConnState) []string {
	if s.opts.AdminsOnly && cs.trusted() {
		return []string{"EXTERNAL"} // lmtpd's unix socket: whoever can connect may deliver
	}
	var names []string
	for i := range s.mechs {
		if m := &s.mechs[i]; s.configured(m) && s.refusal(m, cs) == nil {
			names = append(names, m.name)
		}
	}
	return names
}

// configured says whether the settings allow m at all. A name in the list
// stands for its -PLUS form too, as with libsasl, which has them in one.
func (s *Server) configured(m *mechanism) bool {
	if m.secrets && !s.hasSecrets() {
		return false
	}
	return s.opts.Mechs == nil || slices.Contains(s.opts.Mechs, m.name) ||
		m.bound && slices.Contains(s.opts.Mechs, strings.TrimSuffix(m.name, "-PLUS"))
}

// refusal returns why m may not be used on this connection, or nil.
func (s *Server) refusal(m *mechanism, cs ConnState) error {
	switch {
	case m.usable != nil && !m.usable(s, cs):
		return NoMech
	case m.bound && !s.binds(cs):
		return NoMech
	case m.plain && !s.opts.AllowPlaintext && !cs.protected():
		return Encrypt
	case s.opts.MinSSF > cs.ssf():
		return TooWeak // none of ours has a security layer of its own
	}
	return nil
}

// binds says whether -PLUS mechanisms are offered on this connection.
func (s *Server) binds(cs ConnState) bool {
	switch s.opts.Plus {
	case PlusNever:
		return false
	case PlusAuto:
		return slices.ContainsFunc(cs.Binding, func(b tlsconf.Binding) bool { return b.Type == "tls-unique" })
	}
	return len(cs.Binding) > 0
}

// Start begins an exchange. The errors are NoMech, Encrypt and TooWeak in an
// Error. The context ends the exchange: waits for password servers included.
func (s *Server) Start(ctx context.Context, mech string, cs ConnState) (*Exchange, error) {
	name := strings.ToUpper(mech)
	for i := range s.mechs {
		m := &s.mechs[i]
		if m.name != name || !s.configured(m) {
			continue
		}
		switch err := s.refusal(m, cs); err {
		case nil:
			x := &Exchange{ctx: ctx, srv: s, conn: cs, mech: name}
			x.step = m.start(x)
			return x, nil
		case Encrypt:
			return nil, fail(Encrypt, "", "security flags do not match required")
		case TooWeak:
			return nil, fail(TooWeak, "", "mech %s is too weak", name)
		}
	}
	return nil, fail(NoMech, "", "Couldn't find mech %s", name)
}
