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
	truth   *truth          // of a master that shares its list; nil without etcd

	sessions atomic.Int64
	stop     context.CancelFunc
}

// Flags are mupdate's own.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "m", Usage: "be the master"},
		&cli.BoolFlag{Name: "a", Usage: "be the master where mupdate_server is an address of this host"},
		&cli.BoolFlag{Name: "e", Usage: "make an empty list in etcd, and exit"},
		&cli.BoolFlag{Name: "i", Usage: "make the list in etcd of what mailboxes.db has, and exit"},
	}
}

// New makes the server of a process. For a slave it waits until it is in sync
// with its master, however long that takes, so that nobody is served a list that was
// never right; a master with etcd sends everybody away till then.
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
	if srv.truth != nil {
		if err := srv.truth.wait(); err != nil {
			srv.Shutdown(context.Background())
			return nil, command.Fatal(command.ExConfig, err)
		}
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
		// Nobody waits for a master that has the list alone: it is always up to
		// date. But who kicks on its machine must get an answer.
		var err error
		if srv.kicks, err = listenKicks(srv.opts.Client.KickSocket); err != nil {
			stop()
			return err
		}
		if srv.opts.Etcd.Enabled() {
			if srv.truth, err = newTruth(srv.table, srv.list, srv.opts); err != nil {
				stop()
				srv.kicks.Close()
				return command.Fatal(command.ExConfig, err)
			}
			srv.truth.start(ctx, srv.kicks)
		} else {
			go srv.kicks.placebo(ctx)
		}
	}
	go srv.table.run()
	go srv.changes.run(ctx, srv.table.look)
	if !srv.opts.Master {
		srv.slave = newSlave(srv.table, srv.list, srv.opts)
		go srv.slave.run(ctx)
	}
	return nil
}

// submit sends a change on its way to where it is decided.
func (srv *Server) submit(r *request) {
	if srv.truth != nil {
		srv.truth.submit(r)
		return
	}
	srv.table.submit(r)
}

// fresh waits until the list has all that any master has answered OK to.
func (srv *Server) fresh(ctx context.Context) error {
	if srv.truth == nil {
		return nil
	}
	return srv.truth.fresh(ctx)
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

// notReady is what Cyrus says where a list is not what it should be.
const notReady = "* BYE \"no longer ready for connections\"\r\n"

// Serve holds one session on c.
func (srv *Server) Serve(ctx context.Context, c net.Conn) {
	defer srv.sessions.Add(-1)
	if n := srv.sessions.Add(1); srv.opts.Connections > 0 && n > int64(srv.opts.Connections) {
		log.Err("Server too busy, dropping connection.")
		_, _ = c.Write([]byte(unable)) // if it fails, too bad for them
		return
	}
	if srv.truth != nil && srv.truth.away.Load() {
		_, _ = c.Write([]byte(notReady)) // they go on to another master
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
	if srv.truth != nil {
		if err := srv.truth.close(); err != nil {
			log.Warning("closing etcd: %v", err)
		}
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
