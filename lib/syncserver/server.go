package syncserver

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/auth"
	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/site"
	"gocyrus/lib/tlsconf"
)

// Server is what the csync sessions of one process share. It is safe for
// concurrent use.
type Server struct {
	opts   Options
	engine *Engine
	site   *site.Site
	sasl   *saslserver.Server
	rules  *auth.Rules
	tls    *tlsconf.Server // nil without
}

// Flags are sync_server's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "p", Usage: "`ssf` of a layer of protection outside of sync_server"},
		&cli.BoolFlag{Name: "f", Usage: "ignored"},
	}
}

// errRoot is the error of a start as root: files that root makes nobody else can
// write.
var errRoot = errors.New("must run as the Cyrus user")

// New makes the server of a process: it opens the site's stores. What is applied
// here goes to logs of replication only where the site says so.
func New(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	if os.Geteuid() == 0 {
		return nil, command.Fatal(command.ExUsage, errRoot)
	}
	o := OptionsFrom(cfg)
	o.External = c.Int("p")
	st, err := site.Open(cfg)
	if err != nil {
		return nil, err
	}
	st.Sync.Suppress()
	srv, err := NewServer(cfg, o, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return srv, nil
}

// NewServer makes a server of stores that are open.
func NewServer(cfg *config.Config, o Options, st *site.Site) (*Server, error) {
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		return nil, err
	}
	srv := &Server{opts: o, site: st, rules: auth.New(rules)}
	conf, err := saslserver.OptionsFrom(cfg, "csync")
	if err != nil {
		return nil, err
	}
	if srv.sasl, err = saslserver.New(conf, srv.rules); err != nil {
		return nil, err
	}
	if t := tlsconf.OptionsFrom(cfg); t.Enabled() && o.StartTLS {
		if srv.tls, err = tlsconf.NewServer(t, cfg.Dir()+"/tls_tickets", log.Warning); err != nil {
			return nil, err
		}
	}
	srv.engine = NewEngine(st, EngineOptionsFrom(cfg))
	return srv, nil
}

// Serve holds one session on c.
func (srv *Server) Serve(ctx context.Context, c net.Conn) {
	s := srv.newConn(ctx, c)
	defer s.cancel()
	defer context.AfterFunc(ctx, s.in.Interrupt)()
	s.serve()
}

// Shutdown closes the stores, after the last session.
func (srv *Server) Shutdown(context.Context) {
	srv.engine.Close()
	if err := errors.Join(srv.sasl.Close(), srv.site.Close()); err != nil {
		log.Err("IOERROR: closing the stores: %v", err)
	}
}
