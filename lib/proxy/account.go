package proxy

import (
	"crypto/tls"

	"gocyrus/lib/backend"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/tlsconf"
)

// An Account is where a server listens for a protocol, and who we are there: for who
// speaks to it with a client of its own.
type Account struct {
	Addr    string // host:port or a path
	Bind    string // see backend.BindName
	Wrapped bool   // TLS from the first octet
	NoAuth  bool
	Cred    saslclient.Credentials
	Mechs   []string // nil for all
	TLS     *tls.Config
}

// Account is that of a server, in our own name. The error is one of certificates.
func (o *Options) Account(p *backend.Protocol, server string) (Account, error) {
	a := parseServer(server, portOf(p))
	if o.Address != nil {
		a.dial = o.Address(p, a.dial)
	}
	conf, err := tlsconf.Client(o.tlsFor(a.host), a.host)
	if err != nil {
		return Account{}, err
	}
	l := o.loginFor(a.host)
	return Account{
		Addr: a.dial, Bind: o.Bind, Wrapped: a.wrapped, NoAuth: a.noAuth,
		Cred:  saslclient.Credentials{AuthcID: o.AuthName, Password: l.password, Realm: o.Realm},
		Mechs: l.mechs, TLS: conf,
	}, nil
}
