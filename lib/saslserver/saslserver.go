// Package saslserver authenticates the clients of imapd, pop3d, lmtpd and the
// others: SASL mechanisms (RFC 4422) and plain user and password.
//
// A Server is made once for a process. For a client, Mechanisms says what to
// offer, Start and Exchange.Next carry one mechanism out, and CheckPass serves
// LOGIN and USER/PASS. The result is an Identity, or an Error with the texts
// that clients and log readers know from Cyrus. Nothing here writes to a peer
// or to the log: the engines do.
//
// After an error the engine logs LogBadLogin's line, calls Pause and then
// answers with ClientText. Neither wording nor time tells a client whether the
// user exists.
package saslserver

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"gocyrus/lib/auth"
	"gocyrus/lib/tlsconf"
)

// ConnState is what the transport knows of the client.
type ConnState struct {
	TLS      *tls.ConnectionState // nil without TLS
	External string               // who the transport itself vouches for: "postman" on lmtpd's unix socket
	SSF      int                  // strength of protection that is not TLS, in bits: a unix socket has 2
	Local    net.Addr             // the server's end; may be nil
	Binding  []tlsconf.Binding    // of TLS, for SCRAM-PLUS; may be nil
}

// ssf is the strength of the connection's protection, in bits of the cipher's
// key.
func (c ConnState) ssf() int {
	if c.TLS == nil {
		return c.SSF
	}
	return tlsconf.Bits(c.TLS.CipherSuite)
}

// trusted says whether the transport itself vouches for the client.
func (c ConnState) trusted() bool { return c.TLS == nil && c.External != "" }

// protected says whether a password may cross the connection in clear.
func (c ConnState) protected() bool { return c.TLS != nil || c.SSF >= 2 }

// external returns the identity that EXTERNAL gives: the common name of a
// verified client certificate, or the transport's own word.
func (c ConnState) external() string {
	if c.TLS != nil && len(c.TLS.VerifiedChains) > 0 && len(c.TLS.VerifiedChains[0]) > 0 {
		return c.TLS.VerifiedChains[0][0].Subject.CommonName
	}
	return c.External
}

// Identity is a client that has authenticated.
type Identity struct {
	AuthcID string // whose password or certificate it was
	AuthzID string // whose mail it is; equal to AuthcID unless the client is a proxy
	Mech    string // "plaintext" for CheckPass
	Layer   int    // strength of the SASL security layer: always 0, no mechanism here has one
	Detail  string // "+Work" of a login as alice+Work (imapmagicplus, popsubfolders)
	Trace   string // ANONYMOUS: what the client said of itself
	State   *auth.State
}

// Server authenticates for one service of one process. It is safe for
// concurrent use.
type Server struct {
	opts    Config
	mechs   []mechanism
	rules   *auth.Rules
	sources []passwordSource
	secrets Secrets
	tokens  tokenChecker
	checks  chan struct{} // a place for each password check under way
	deny    func(user, service string) bool
	mayAct  func(login *auth.State, user string) bool
}

// Option is a part of a Server that comes from outside.
type Option func(*Server)

// WithDeny sets the check of user_deny.db: userdeny.DB.Denies. pop3d goes
// without: it asks before it looks at the password, and tells the user the
// administrator's message.
func WithDeny(f func(user, service string) bool) Option {
	return func(s *Server) { s.deny = f }
}

// WithACL sets the check of loginuseacl: whether login holds the right "a" on
// the INBOX of user. It is asked only with that option on.
func WithACL(f func(login *auth.State, user string) bool) Option {
	return func(s *Server) { s.mayAct = f }
}

// WithSecrets sets the store of secrets in place of sasl_sasldb_path's.
func WithSecrets(k Secrets) Option { return func(s *Server) { s.secrets = k } }

// New returns a server. The error is a password source or a file of keys that
// cannot be used: the process should not start.
func New(c Config, rules *auth.Rules, options ...Option) (*Server, error) {
	s := &Server{opts: c, mechs: table(), rules: rules, checks: make(chan struct{}, c.MaxChecks)}
	for _, o := range options {
		o(s)
	}
	if s.secrets == nil && c.SecretsPath != "" {
		k, err := openSecrets(c.SecretsPath)
		if err != nil {
			return nil, err
		}
		s.secrets = k
	}
	sources, err := s.passwordSources(c.PwCheck)
	if err != nil {
		return nil, err
	}
	s.sources = sources
	if s.tokens, err = newTokenChecker(c.OAuth); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the store of secrets that New opened.
func (s *Server) Close() error {
	if d, ok := s.secrets.(*storeOnDisk); ok {
		return d.Close()
	}
	return nil
}

// Pause waits for failedloginpause, or until ctx ends. It holds no place that
// another login could need.
func (s *Server) Pause(ctx context.Context) {
	if s.opts.FailedPause <= 0 {
		return
	}
	t := time.NewTimer(s.opts.FailedPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
