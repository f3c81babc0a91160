// Package mupdateserver is both sides of MUPDATE in a Cyrus Murder that are
// processes of their own: the master, which every backend tells of its
// mailboxes, and the slave of a frontend, which follows the master and writes
// what it hears to the frontend's mailboxes.db.
//
// A [Server] is made once for a process. All changes go through its [table],
// one goroutine that commits what has come in since the last commit in one
// transaction, and then tells the sessions that stream (UPDATE). Nothing is
// answered OK before it is committed.
//
// A streaming session has a place in the list of changes that all of them share,
// and moves at its own speed: one that reads slowly holds up nobody, and one that
// falls too far behind is cut off, for it can start anew at any time.
package mupdateserver

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/auth"
	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/tlsconf"
)

// Server is what the sessions of one process share. It is safe for concurrent
// use.
type Server struct {
	opts    Options
	list    *mboxlist.List
	table   *table
	changes *changes
	sasl    *saslserver.Server
	tls     *tlsconf.Server // nil without
	slave   *slave          // nil for a master
	kicks   *kickListener   // a master's

	sessions atomic.Int64
	stop     context.CancelFunc
}

// Flags are mupdate's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "m", Usage: "be the master"},
		&cli.BoolFlag{Name: "a", Usage: "be the master where mupdate_server is an address of this host"},
	}
}

// New makes the server of a process. For a slave it waits until it is in sync
// with its master, however long that takes, so that nobody is served a list that
// was never right.
func New(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	o := OptionsFrom(cfg)
	o.Master = c.Bool("m") || c.Bool("a") && isLocal(o.Client.Servers)
	if os.Geteuid() == 0 {
		return nil, command.Fatal(command.ExUsage, errors.New("must run as the Cyrus user"))
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	srv, err := newServer(cfg, o)
	if err != nil {
		return nil, err
	}
	if srv.slave != nil {
		<-srv.slave.synced
	}
	return srv, nil
}

func newServer(cfg *config.Config, o Options) (*Server, error) {
	list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
	if err != nil {
		return nil, err
	}
	srv := &Server{opts: o, list: list}
	if err := srv.setup(cfg); err != nil {
		return nil, errors.Join(err, list.Close())
	}
	return srv, nil
}

func (srv *Server) setup(cfg *config.Config) error {
	if err := srv.setSASL(cfg); err != nil {
		return err
	}
	if t := tlsconf.OptionsFrom(cfg); t.Enabled() && srv.opts.StartTLS {
		var err error
		if srv.tls, err = tlsconf.NewServer(t, cfg.Dir()+"/tls_tickets", log.Warning); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	srv.stop = stop
	srv.changes = newChanges(srv.opts.FlushEvery, srv.opts.MaxBehind)
	srv.table = newTable(srv.list, srv.changes, srv.opts)
	if srv.opts.Master {
		// Nobody waits for a master: it is always up to date. But who kicks on
		// its machine must get an answer.
		var err error
		if srv.kicks, err = listenKicks(srv.opts.Client.KickSocket); err != nil {
			stop()
			return err
		}
		go srv.kicks.placebo(ctx)
	}
	go srv.table.run()
	go srv.changes.run(ctx, srv.table.look)
	if !srv.opts.Master {
		srv.slave = newSlave(srv.table, srv.list, srv.opts)
		go srv.slave.run(ctx)
	}
	return nil
}

func (srv *Server) setSASL(cfg *config.Config) error {
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		return err
	}
	conf, err := saslserver.OptionsFrom(cfg, "mupdate")
	if err != nil {
		return err
	}
	conf.AdminsOnly = true
	srv.sasl, err = saslserver.New(conf, auth.New(rules))
	return err
}

// unable is what one client too many is told. The NUL is Cyrus's.
const unable = "* BYE \"Server Unable\"\r\n\x00"

// Serve holds one session on c.
func (srv *Server) Serve(ctx context.Context, c net.Conn) {
	defer srv.sessions.Add(-1)
	if n := srv.sessions.Add(1); srv.opts.Connections > 0 && n > int64(srv.opts.Connections) {
		log.Err("Server too busy, dropping connection.")
		_, _ = c.Write([]byte(unable)) // if it fails, too bad for them
		return
	}
	s := srv.newSession(ctx, c)
	defer s.cancel()
	defer context.AfterFunc(ctx, s.in.Interrupt)()
	s.serve()
}

// Shutdown closes everything, after the last session.
func (srv *Server) Shutdown(ctx context.Context) {
	srv.stop()
	if srv.slave != nil {
		<-srv.slave.done
	}
	if srv.kicks != nil {
		srv.kicks.Close()
	}
	srv.table.close()
	if err := errors.Join(srv.sasl.Close(), srv.list.Close()); err != nil {
		log.Err("IOERROR: closing the stores: %v", err)
	}
}

// isLocal says whether one of the servers is an address of this host, other
// than the loopback one.
func isLocal(servers []string) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, s := range servers {
		ips, err := net.LookupIP(hostOf(s))
		if err != nil {
			continue
		}
		for _, ip := range ips {
			for _, a := range own {
				if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) && !ip.IsLoopback() {
					return true
				}
			}
		}
	}
	return false
}
