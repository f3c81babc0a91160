package cyradm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/backend"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/tlsconf"
)

var (
	// ErrNoLogin is the error of a server that takes no login here.
	ErrNoLogin = errors.New("Login disabled.") //lint:ignore ST1005 the words of old
	// ErrNoTLS is the error of TLS wanted and not offered.
	ErrNoTLS = errors.New("TLS disabled.") //lint:ignore ST1005 the words of old
)

// Login is how to log in.
type Login struct {
	User   string   // whose password it is
	Authz  string   // whom to act as; empty for the same
	Mechs  []string // SASL mechanisms to choose from; "login" is the LOGIN command; nil for what is offered
	MinSSF int      // least strength of protection, in bits

	// Password is asked once, when a password is needed.
	Password func() (string, error)

	TLS     bool   // use STARTTLS even where not needed
	NoTLS   bool   // never use it
	TLSKey  string // certificate and key to show, in one file
	CAFile  string // authorities; with neither the certificate is not checked
	CAPath  string
	Service string // kept for scripts; no mechanism here has a use for it
}

// Authenticate logs in, with STARTTLS when it is asked for or the only way,
// and turns on referrals where the server has them.
func (a *Admin) Authenticate(ctx context.Context, l Login) error {
	l.Password = once(l.Password)
	if err := a.protect(ctx, l); err != nil {
		return err
	}
	if err := a.signIn(l); err != nil {
		return err
	}
	if err := a.conn.AskCaps(); err != nil {
		return a.lost(err)
	}
	a.login = &l
	if a.has("MAILBOX-REFERRALS") {
		// RFC 2193 section 4: to use RLIST is to ask for referrals.
		return a.command(nil, raw("RLIST"), quoted(""), quoted(""))
	}
	return nil
}

// once keeps an answer, so that a referral asks no one again.
func once(ask func() (string, error)) func() (string, error) {
	var word string
	asked := false
	return func() (string, error) {
		if asked {
			return word, nil
		}
		w, err := ask()
		if err == nil {
			word, asked = w, true
		}
		return w, err
	}
}

// protect begins TLS if need be.
func (a *Admin) protect(ctx context.Context, l Login) error {
	disabled := a.has("LOGINDISABLED")
	usable := slices.ContainsFunc(l.mechs(a.conn.Caps.Mechs), func(m string) bool {
		return slices.Contains(a.conn.Caps.Mechs, m)
	})
	switch {
	case a.conn.TLS() != nil, !l.TLS && (usable || !disabled):
		return nil
	case l.NoTLS || !a.has("STARTTLS"):
		if disabled {
			return ErrNoLogin
		}
		if l.NoTLS {
			return nil
		}
		return ErrNoTLS
	}
	conf, err := tlsconf.Client(tlsconf.Options{ServerCAs: l.CAFile, ServerDir: l.CAPath,
		ClientCert: l.TLSKey, ClientKey: l.TLSKey}, a.name)
	if err != nil {
		return err
	}
	return a.startTLS(ctx, conf)
}

func (a *Admin) startTLS(ctx context.Context, conf *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return a.conn.StartTLS(ctx, conf)
}

// mechs are the mechanisms to choose from, in capitals.
func (l Login) mechs(offered []string) []string {
	if len(l.Mechs) == 0 {
		return offered
	}
	out := make([]string, len(l.Mechs))
	for i, m := range l.Mechs {
		out[i] = strings.ToUpper(m)
	}
	return out
}

// signIn uses SASL, and LOGIN where that is named or all there is.
func (a *Admin) signIn(l Login) error {
	mechs := l.mechs(a.conn.Caps.Mechs)
	if slices.Equal(mechs, []string{"LOGIN"}) && len(l.Mechs) > 0 {
		return a.loginCommand(l)
	}
	common := slices.DeleteFunc(slices.Clone(mechs), func(m string) bool {
		return !slices.Contains(a.conn.Caps.Mechs, m)
	})
	err := a.sasl(common, l)
	if errors.Is(err, saslclient.ErrNoMechanism) && (len(l.Mechs) == 0 || slices.Contains(mechs, "PLAIN")) {
		return a.loginCommand(l)
	}
	return err
}

func (a *Admin) sasl(mechs []string, l Login) error {
	cred := saslclient.Credentials{AuthcID: l.User, AuthzID: l.Authz}
	conn := saslclient.Conn{TLS: a.conn.TLS(), Binding: a.conn.Bindings(),
		HasCert: l.TLSKey != "", MinSSF: l.MinSSF, Clear: true}
	if best := saslclient.Choose(mechs, cred, conn); len(best) == 0 {
		return saslclient.ErrNoMechanism
	} else if best[0] != "EXTERNAL" {
		var err error
		if cred.Password, err = l.Password(); err != nil {
			return err
		}
	}
	client, err := saslclient.New(mechs, cred, conn)
	if err != nil {
		return err
	}
	return a.conn.AuthenticateWith(client)
}

// loginCommand logs in by LOGIN. It knows no one to act as, and would make us
// somebody else than was asked for.
func (a *Admin) loginCommand(l Login) error {
	if l.Authz != "" && l.Authz != l.User {
		return fmt.Errorf("%w: LOGIN cannot act as %s", backend.ErrAuth, l.Authz)
	}
	if a.has("LOGINDISABLED") {
		return ErrNoLogin
	}
	password, err := l.Password()
	if err != nil {
		return err
	}
	return a.command(nil, raw("LOGIN"), l.User, password)
}
