package csync

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/saslclient"
)

// Options are how to reach a replica and what to ask of it.
type Options struct {
	Addr    string // as ParseAddress reads it
	Port    string // where Addr has none: number or service; empty for csync, and for imap in its attempt
	TryIMAP bool   // try IMAP first
	IMAP    bool   // by IMAP alone
	Cred    saslclient.Credentials
	Mechs   []string    // the mechanisms to use of those offered; nil is all
	TLS     *tls.Config // nil: no TLS
	HasCert bool        // TLS shows a certificate

	ConnectTimeout time.Duration // for each wait until the session is up; 0 is none
	Timeout        time.Duration // for each wait after that
	Archive        bool          // ask for staging on the archive partition
	Limits         Limits        // of answers; zero fields are the default ones, a literal may fill the total
	Tags           *Tags         // nil: from S0 on
	Trace          io.Writer     // hears all that is said once we are logged in; may be nil
	Log            func(string)  // hears what an administrator might want to know; may be nil

	Bind        string                                                            // see backend.BindName
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error) // nil: backend.DialFrom's
}

func (o Options) prepared() Options {
	if o.Tags == nil {
		o.Tags = new(Tags)
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.DialContext == nil {
		o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return backend.DialFrom(ctx, o.Bind, network, addr, o.ConnectTimeout)
		}
	}
	literal := o.Limits.Literal
	o.Limits = o.Limits.orDefault()
	if literal == 0 {
		o.Limits.Literal = o.Limits.Total
	}
	return o
}

// ErrNoReplication is an IMAP server that replicates nothing.
var ErrNoReplication = errors.New("no X-REPLICATION")

// Dial connects, by IMAP where that is to be tried and the server replicates over
// it, else by csync, logs in, compresses where that is offered, and agrees on
// capabilities. The errors are ErrAddress, those of the connection, backend's and
// saslclient's.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o = o.prepared()
	a, err := ParseAddress(o.Addr)
	if err != nil {
		return nil, err
	}
	if o.TryIMAP || o.IMAP {
		c, err := connect(ctx, o, a, backend.IMAP)
		if err == nil {
			return c.ready(ctx)
		}
		if o.IMAP {
			return nil, fmt.Errorf("%s: %w", o.Addr, err)
		}
		o.Log(fmt.Sprintf("no replication over IMAP at %s: %v", o.Addr, err))
		if ctx.Err() != nil {
			return nil, err
		}
	}
	c, err := connect(ctx, o, a, backend.Csync)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Addr, err)
	}
	return c.ready(ctx)
}

// connect brings up a session that is logged in.
func connect(ctx context.Context, o Options, a Address, p *backend.Protocol) (*Client, error) {
	def := o.Port
	if def == "" {
		def = p.Name
	}
	network, addr := a.network(def)
	if network == "tcp" && o.Port == "" && a.Port == "" {
		if _, err := net.DefaultResolver.LookupPort(ctx, "tcp", p.Name); err != nil {
			_, addr = a.network(p.Port) // csync is in no stock list of services
		}
	}
	nc, err := o.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w := watch(nc, o.ConnectTimeout)
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	conn, err := backend.New(ctx, p, w, backend.Options{Timeout: o.ConnectTimeout, TLS: o.TLS, Wrapped: a.TLS})
	if err == nil {
		c := &Client{conn: conn, net: w, opt: o, imap: p == backend.IMAP}
		if err = c.login(ctx, a); err == nil {
			return c, nil
		}
	}
	nc.Close()
	return nil, err
}

// login starts TLS if there is no other way, authenticates and compresses.
func (c *Client) login(ctx context.Context, a Address) error {
	mechs := c.mechs()
	// A Unix socket is believed; its greeting offers nothing.
	if !a.NoAuth && !(a.Unix && len(mechs) == 0 && !c.imap) {
		if len(c.usable(mechs)) == 0 && c.conn.TLS() == nil && c.opt.TLS != nil && c.conn.Caps.Has("STARTTLS") {
			if err := c.conn.StartTLS(ctx, c.opt.TLS); err != nil {
				return err
			}
			mechs = c.mechs()
		}
		if err := c.conn.Authenticate(mechs, c.opt.Cred, c.opt.HasCert, true); err != nil {
			return err
		}
	}
	if c.imap {
		return c.afterIMAPLogin()
	}
	if c.conn.Caps.Has("COMPRESS") {
		c.compressErr = c.conn.Compress()
		if c.compressErr != nil && !errors.Is(c.compressErr, backend.ErrRefused) {
			return c.compressErr
		}
	}
	return nil
}

// afterIMAPLogin looks for replication among the capabilities.
func (c *Client) afterIMAPLogin() error {
	if !c.conn.Caps.Has("X-REPLICATION") {
		if err := c.conn.AskCaps(); err != nil {
			return err
		}
	}
	if !c.conn.Caps.Has("X-REPLICATION") {
		c.conn.SayLogout()
		return ErrNoReplication
	}
	return nil
}

// mechs are the mechanisms that the server offers and we may use.
func (c *Client) mechs() []string {
	out := []string{}
	for _, m := range c.conn.Caps.Mechs {
		if c.opt.Mechs == nil || slices.ContainsFunc(c.opt.Mechs, func(w string) bool { return strings.EqualFold(w, m) }) {
			out = append(out, m)
		}
	}
	return out
}

func (c *Client) usable(mechs []string) []string {
	return saslclient.Choose(mechs, c.opt.Cred, saslclient.Conn{TLS: c.conn.TLS(), Binding: c.conn.Bindings(), HasCert: c.opt.HasCert, Clear: true})
}
