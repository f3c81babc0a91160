package imapserver

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/auth"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/site"
	"gocyrus/lib/syncserver"
	"gocyrus/lib/tlsconf"
	"gocyrus/lib/userdeny"
)

// Flags are imapd's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "s", Usage: "speak TLS from the first octet"},
		&cli.IntFlag{Name: "p", Usage: "a layer outside of imapd protects connections with `n` bits"},
		&cli.BoolFlag{Name: "N", Usage: "accept any password"},
		&cli.BoolFlag{Name: "q", Usage: "ignore quotas"},
	}
}

// New makes the server of a process: it opens the site's stores.
func New(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	o := OptionsFrom(cfg)
	o.Implicit, o.External = c.Bool("s"), c.Int("p")
	o.NoCheck, o.SkipQuota = c.Bool("N"), c.Bool("q")
	st, err := site.Open(cfg)
	if err != nil {
		return nil, err
	}
	srv, err := newServer(cfg, o, st)
	if err != nil {
		st.Close()
		return nil, err
	}
	return srv, nil
}

func newServer(cfg *config.Config, o Options, st *site.Site) (*Server, error) {
	srv := &Server{
		opts: o, site: st, hub: st.Idle,
		list: st.List, store: st.Mailboxes, quota: st.Quota, subs: st.Subs, seen: st.Seen, ops: st.Ops,
	}
	srv.messages = service.NewMessages(cfg.Dir(), cfg.Service())
	srv.annots = defineAnnotations(o.Annotations)
	srv.engine = sync.OnceValue(func() *syncserver.Engine {
		e := syncserver.NewEngine(st, syncserver.EngineOptionsFrom(cfg))
		srv.closers = append(srv.closers, e.Close)
		return e
	})
	var err error
	if srv.ownerRights, err = acl.Parse(o.OwnerRights); err != nil {
		return nil, fmt.Errorf("implicit_owner_rights: %w", err)
	}
	if err := srv.setTLS(cfg); err != nil {
		return nil, err
	}
	if err := srv.setSASL(cfg); err != nil {
		return nil, err
	}
	srv.murder = murderFrom(cfg)
	switch {
	case srv.frontend():
		o.Suppress = append(slices.Clone(o.Suppress), notProxied...)
	case srv.unified():
		o.Suppress = append(slices.Clone(o.Suppress), notUnified...)
	}
	if srv.murder != nil {
		if id, err := srv.rules.Canon(srv.murder.account); err == nil {
			srv.murder.account = id
		}
	}
	if err := srv.setMover(cfg); err != nil {
		return nil, err
	}
	srv.caps = offered(capabilities, commands, o.Suppress)
	return srv, nil
}

func (srv *Server) setTLS(cfg *config.Config) (err error) {
	o := tlsconf.OptionsFrom(cfg)
	if !o.Enabled() {
		return nil
	}
	srv.tls, err = tlsconf.NewServer(o, cfg.Dir()+"/tls_tickets", log.Warning)
	return err
}

func (srv *Server) setSASL(cfg *config.Config) error {
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		return err
	}
	srv.rules = auth.New(rules)
	conf, err := saslserver.OptionsFrom(cfg, "imap")
	if err != nil {
		return err
	}
	if srv.opts.NoCheck {
		conf.PwCheck = []string{"alwaystrue"}
	}
	deny := userdeny.New(userdeny.OptionsFrom(cfg), log.Warning)
	srv.sasl, err = saslserver.New(conf, srv.rules, saslserver.WithDeny(deny.Denies), saslserver.WithACL(srv.mayActFor))
	return err
}

// mayActFor says whether login holds the right a on the user's INBOX (option
// loginuseacl).
func (srv *Server) mayActFor(login *auth.State, user string) bool {
	e, err := srv.list.Lookup(mboxname.Inbox(user))
	return err == nil && exists(e) && (!e.Is(mboxlist.FlagRemote) || srv.proxies()) && acl.My(e.ACL, login.Member)&acl.Admin != 0
}

// Shutdown closes the stores, after the last session.
func (srv *Server) Shutdown(context.Context) {
	for _, c := range srv.closers {
		c()
	}
	if err := srv.site.Close(); err != nil {
		log.Err("IOERROR: closing the stores: %v", err)
	}
}
