// Package popserver speaks POP3 (RFC 1939, RFC 2449) with mail clients, in the
// words of Cyrus.
//
// A [Server] is made once for a process. A session is a goroutine that reads
// one command, finds it in the table [commands] and answers; answers to
// commands that were sent together leave together.
//
// A maildrop is what its mailbox held at login. Nothing is locked after that:
// IMAP sessions and other POP3 sessions go on beside it, and what this session
// deletes goes when it says QUIT, not before.
package popserver

import (
	"context"
	"errors"
	"net"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/auth"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proxy"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/site"
	"gocyrus/lib/tlsconf"
	"gocyrus/lib/userdeny"
)

// Server is what the sessions of one process share. It is safe for concurrent
// use.
type Server struct {
	opts  Options
	site  *site.Site
	rules *auth.Rules
	sasl  *saslserver.Server
	deny  *userdeny.DB
	tls   *tlsconf.Server // nil without

	proxy  *proxy.Options  // towards the servers of a murder
	master mupdate.Options // whose slave may have to catch up
}

// Flags are pop3d's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "s", Usage: "speak TLS from the first octet"},
		&cli.IntFlag{Name: "p", Usage: "a layer outside of pop3d protects connections with `n` bits"},
	}
}

// New makes the server of a process: it opens the site's stores.
func New(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	o := OptionsFrom(cfg)
	o.Implicit, o.External = c.Bool("s"), c.Int("p")
	st, err := site.Open(cfg)
	if err != nil {
		return nil, err
	}
	srv, err := newServer(cfg, o, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return srv, nil
}

func newServer(cfg *config.Config, o Options, st *site.Site) (*Server, error) {
	srv := &Server{opts: o, site: st, deny: userdeny.New(userdeny.OptionsFrom(cfg), log.Warning),
		proxy: proxy.OptionsFrom(cfg), master: mupdate.OptionsFrom(cfg)}
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		return nil, err
	}
	srv.rules = auth.New(rules)
	conf, err := saslserver.OptionsFrom(cfg, "pop")
	if err != nil {
		return nil, err
	}
	if srv.sasl, err = saslserver.New(conf, srv.rules, saslserver.WithACL(srv.mayActFor)); err != nil {
		return nil, err
	}
	if t := tlsconf.OptionsFrom(cfg); t.Enabled() {
		if srv.tls, err = tlsconf.NewServer(t, cfg.Dir()+"/tls_tickets", log.Warning); err != nil {
			return nil, err
		}
	}
	return srv, nil
}

// Serve holds one session on c.
func (srv *Server) Serve(ctx context.Context, c net.Conn) {
	s := srv.newSession(ctx, c)
	defer s.cancel()
	defer context.AfterFunc(ctx, s.in.Interrupt)()
	s.serve()
}

// Shutdown closes the stores, after the last session.
func (srv *Server) Shutdown(context.Context) {
	if err := errors.Join(srv.deny.Close(), srv.site.Close()); err != nil {
		log.Err("IOERROR: closing the stores: %v", err)
	}
}
