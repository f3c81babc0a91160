// Package lmtpserver takes mail in by LMTP (RFC 2033), in the words of Cyrus:
// what MTAs and log readers know.
//
// A [Server] is made once for a process. A session is a goroutine that reads
// one command, finds it in the table [commands] and answers; answers to
// commands that were sent together leave together. A message goes to disk as it
// comes, once, and from there into the mailbox of every recipient; each is
// answered for, in the order of the RCPT commands, when his copy is durable.
//
// Who a recipient is and where his mail goes is package delivery's.
package lmtpserver

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/auth"
	"gocyrus/lib/config"
	"gocyrus/lib/delivery"
	"gocyrus/lib/duplicate"
	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proxy"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/site"
	"gocyrus/lib/stage"
	"gocyrus/lib/tlsconf"
	"gocyrus/lib/userdeny"
)

// Server is what the sessions of one process share. It is safe for concurrent
// use.
type Server struct {
	opts    Options
	site    *site.Site
	deliver *delivery.Deliverer
	dups    *duplicate.DB
	deny    *userdeny.DB
	rules   *auth.Rules
	sasl    *saslserver.Server
	tls     *tlsconf.Server // nil without

	far *far // connections to other servers; nil where nobody else has mailboxes

	made atomic.Uint32 // Message-IDs made up by this process
}

// Flags are lmtpd's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "a", Usage: "trust clients that have not authenticated"},
	}
}

// New makes the server of a process: it opens the site's stores.
func New(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	o := OptionsFrom(cfg)
	o.Trusted = c.Bool("a")
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
	srv := &Server{opts: o, site: st, deny: userdeny.New(userdeny.OptionsFrom(cfg), log.Warning)}
	if err := srv.setSASL(cfg); err != nil {
		return nil, err
	}
	if t := tlsconf.OptionsFrom(cfg); t.Enabled() && o.StartTLS {
		var err error
		if srv.tls, err = tlsconf.NewServer(t, cfg.Dir()+"/tls_tickets", log.Warning); err != nil {
			return nil, err
		}
	}
	do := delivery.OptionsFrom(cfg)
	if do.Suppress {
		var err error
		if srv.dups, err = duplicate.Open(duplicate.OptionsFrom(cfg)); err != nil {
			// Mail is worth more than the knowledge of duplicates.
			log.Err("DBERROR: opening %s: %v", duplicate.OptionsFrom(cfg).Path, err)
			srv.dups = nil
		}
	}
	parts := delivery.Parts{Rules: srv.rules, Duplicates: srv.dups, Deny: srv.deny.Denies}
	if p := proxy.OptionsFrom(cfg); p.Proxies() {
		srv.far = newFar(p)
		parts.Frontend, parts.Far, parts.Kick = p.Frontend, true, kicker(mupdate.OptionsFrom(cfg))
	}
	srv.deliver = delivery.New(do, st, parts)
	if err := stage.New(st.Mailboxes).Clean(time.Now()); err != nil {
		log.Warning("stage directories: %v", err)
	}
	return srv, nil
}

// kickLimit bounds the wait for the murder's list.
const kickLimit = 10 * time.Second

// kicker has the list of a frontend catch up with its murder's.
func kicker(master mupdate.Options) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, kickLimit)
		defer cancel()
		return master.Kick(ctx)
	}
}

func (srv *Server) setSASL(cfg *config.Config) error {
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		return err
	}
	srv.rules = auth.New(rules)
	conf, err := saslserver.OptionsFrom(cfg, "lmtp")
	if err != nil {
		return err
	}
	conf.AdminsOnly = true
	srv.sasl, err = saslserver.New(conf, srv.rules)
	return err
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
	var errs []error
	if srv.far != nil {
		srv.far.close()
	}
	if srv.dups != nil {
		errs = append(errs, srv.dups.Close())
	}
	if err := errors.Join(append(errs, srv.deny.Close(), srv.site.Close())...); err != nil {
		log.Err("IOERROR: closing the stores: %v", err)
	}
}
