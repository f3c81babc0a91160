// Package proxy is a frontend's way to the backends of its murder: who we are
// there, where each of them listens, and a session that acts as somebody.
//
// A mailbox's record names its server: "host[:port[/tls][/noauth]]" or the path
// of a unix socket. What is said on the session is the caller's.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/tlsconf"
)

// ErrUnavailable is the error of a server that cannot be had: it is not
// reached, or does not let us in.
var ErrUnavailable = errors.New("server is unavailable")

// address is where a server listens, and how.
type address struct {
	host    string // as certificates name it; empty for a unix socket
	dial    string // host:port, or a path
	wrapped bool   // TLS from the first octet
	noAuth  bool
}

// parseServer takes a server's name apart. port is for one that names none.
func parseServer(server, port string) address {
	if strings.HasPrefix(server, "/") {
		return address{dial: server, noAuth: true}
	}
	words := strings.Split(server, "/")
	var a address
	for _, w := range words[1:] {
		switch strings.ToLower(w) {
		case "tls":
			a.wrapped = true
		case "noauth":
			a.noAuth = true
		}
	}
	host, p, err := net.SplitHostPort(words[0])
	if err != nil {
		host, p = strings.Trim(words[0], "[]"), port
	}
	a.host, a.dial = host, net.JoinHostPort(host, p)
	return a
}

// portOf is a protocol's port in the services database, or the one everybody
// knows.
func portOf(p *backend.Protocol) string {
	if n, err := net.LookupPort("tcp", p.Name); err == nil {
		return fmt.Sprint(n)
	}
	return p.Port
}

// Dial connects to a server and logs in, to act as authzid; that is empty for a
// session in our own name, as LMTP's is. Connecting and logging in take at most
// Options.Timeout for each wait; there is no limit on the connection afterwards.
// All errors are ErrUnavailable.
func (o *Options) Dial(ctx context.Context, p *backend.Protocol, server, authzid string) (*backend.Conn, error) {
	c, err := o.dial(ctx, p, server, authzid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", server, ErrUnavailable, err)
	}
	return c, nil
}

func (o *Options) dial(ctx context.Context, p *backend.Protocol, server, authzid string) (*backend.Conn, error) {
	a := parseServer(server, portOf(p))
	if o.Address != nil {
		a.dial = o.Address(p, a.dial)
	}
	conf, err := tlsconf.Client(o.tlsFor(a.host), a.host)
	if err != nil {
		return nil, err
	}
	// A server that drips octets holds nobody up for longer than a few waits.
	ctx, cancel := context.WithTimeout(ctx, loginWaits*o.Timeout)
	defer cancel()
	c, err := backend.Dial(ctx, p, a.dial, backend.Options{Timeout: o.Timeout, TLS: conf, Wrapped: a.wrapped, Bind: o.Bind, Hello: hello})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	if !a.noAuth && !trusts(p, c, conf) || p != backend.LMTP {
		err = o.login(ctx, c, a.host, authzid, len(conf.Certificates) > 0)
	}
	if err == nil && o.Compress && p.Compresses() && c.Caps.Has("COMPRESS") {
		err = c.Compress()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, c.NetConn().SetDeadline(time.Time{})
}

// trusts says whether a server of LMTP takes mail from whoever reaches it (lmtpd -a): it
// offers EXTERNAL alone, which says that everybody is known by the connection. Who has a
// certificate can use that in earnest.
func trusts(p *backend.Protocol, c *backend.Conn, conf *tls.Config) bool {
	return p == backend.LMTP && len(conf.Certificates) == 0 && len(c.Caps.Mechs) == 1 && strings.EqualFold(c.Caps.Mechs[0], "EXTERNAL")
}

// loginWaits is how many waits connecting and logging in may take together.
const loginWaits = 3

// hello is our name in LHLO.
const hello = "lmtpproxyd"

// login authenticates. TLS is begun only where nothing else would do, as Cyrus
// does between its own machines.
func (o *Options) login(ctx context.Context, c *backend.Conn, host, authzid string, hasCert bool) error {
	l := o.loginFor(host)
	cred := saslclient.Credentials{AuthcID: o.AuthName, AuthzID: authzid, Password: l.password, Realm: o.Realm}
	state := func() saslclient.Conn {
		return saslclient.Conn{TLS: c.TLS(), Binding: c.Bindings(), HasCert: hasCert, Clear: true}
	}
	if len(saslclient.Choose(both(l.mechs, c.Caps.Mechs), cred, state())) == 0 && c.TLS() == nil &&
		(c.Caps.Has("STARTTLS") || c.Caps.Has("STLS")) {
		conf, err := tlsconf.Client(o.tlsFor(host), host)
		if err != nil {
			return err
		}
		if err := c.StartTLS(ctx, conf); err != nil {
			return err
		}
	}
	client, err := saslclient.New(both(l.mechs, c.Caps.Mechs), cred, state())
	if err != nil {
		return err
	}
	if err := c.AuthenticateWith(client); err != nil {
		return err
	}
	if c.Proto == backend.IMAP && !c.Caps.Has("LITERAL+") && !c.Caps.Has("LITERAL-") {
		// Those told before login are for everybody; after it there are more.
		return c.AskCaps()
	}
	return nil
}

// both are the mechanisms that are wanted and offered, in the order of the wish;
// without one all that are offered.
func both(wanted, offered []string) []string {
	if wanted == nil {
		return offered
	}
	out := []string{}
	for _, w := range wanted {
		for _, m := range offered {
			if strings.EqualFold(w, m) {
				out = append(out, m)
			}
		}
	}
	return out
}
