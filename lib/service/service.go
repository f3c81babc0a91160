// Package service is the child side of master: what every daemon that is
// listed under SERVICES in cyrus.conf has in common. It knows no protocol.
//
// Master hands a worker the listening socket as descriptor 4 and a pipe for
// 8-byte messages as descriptor 3, and says in CYRUS_SERVICE and CYRUS_ID
// which socket of which entry it is. Workers of Cyrus serve one connection at
// a time; ours serves many, a goroutine each, and is at master's eyes READY
// as long as it can take one more:
//
//	each connection    4 CONNECTION_MULTI
//	no room left       2 UNAVAILABLE: master starts another when someone calls
//	room again         1 AVAILABLE
//	leaving            2 UNAVAILABLE, unless that was the last word
//
// So it runs below Cyrus's own master too. Below ours the environment says
// more: CYRUS_SESSIONS is this worker's part of maxchild, CYRUS_PREFORK how
// many free places there should be before another worker is worth its start,
// and a worker that takes no more connections reports how many sessions it
// still has, so that their places can be given to its successor.
//
// Signals are Cyrus's. HUP: no more connections, exit 0 when the last session
// has ended. TERM: every session ends at its next safe point, exit 75. A
// program file that changed counts as HUP. When master dies, sessions go on
// but the socket is let go, so that a new master can bind it.
package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
)

// Exit codes of sysexits.h that workers use. Master takes TempFail for a
// regular answer to SIGTERM, and any other than 0 for a failure.
const (
	exitFailed   = 1
	exitSoftware = 70 // started by hand, without master's environment
	exitOSErr    = 71
	exitTempFail = 75
	exitConfig   = 78
)

// Handler serves a protocol.
type Handler interface {
	// Serve holds one session. The skeleton closes c when it returns. When
	// ctx is cancelled (SIGTERM) reads of c fail from then on, and Serve
	// returns at its next safe point without a word to the client. Session
	// finds the session in ctx.
	Serve(ctx context.Context, c net.Conn)
}

// PacketHandler is a Handler that also serves datagram sockets (proto=udp).
type PacketHandler interface {
	Handler
	// ServePacket reads datagrams until ctx is cancelled or reading fails.
	ServePacket(ctx context.Context, c net.PacketConn)
}

// Shutdowner is a Handler that has something to put in order (flush, close)
// before the process exits. Shutdown is called once, after the last session.
type Shutdowner interface {
	Shutdown(ctx context.Context)
}

// Flags are those of every service followed by its own.
func Flags(own ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		command.ConfigFlag,
		&cli.IntFlag{Name: "U", Usage: "retire after `uses` sessions for each it may hold at once", Value: defaultUses},
		&cli.IntFlag{Name: "T", Usage: "exit when `seconds` passed without a session; 0 stays", Value: defaultIdle},
		&cli.BoolFlag{Name: "D", Usage: "run debug_command first"},
		&cli.BoolFlag{Name: "X", Usage: "serve one session on standard input and output"},
	}, own...)
}

// Run is a daemon's main: it reads imapd.conf as the entry that CYRUS_SERVICE
// names, opens the log, makes the server and serves until a signal or master's
// end. The protocol names the program in the log until CYRUS_SERVICE is known.
// The error carries the exit code; its reason has been logged.
func Run(c *cli.Context, protocol string, newServer func(*config.Config, *cli.Context) (Handler, error)) error {
	env, err := environment()
	if err != nil {
		log.Open(protocol, log.Options{})
		return failure(exitSoftware, fmt.Errorf("%w; exiting", err))
	}
	cfg, err := config.Load(c.String("C"), env.service)
	if err != nil {
		log.Open(env.service, log.Options{})
		return failure(exitConfig, err)
	}
	openLog(cfg, env.service)
	if err := CheckMurder(cfg); err != nil {
		return failure(exitConfig, err)
	}
	if err := settle(cfg); err != nil {
		return failure(exitFailed, err)
	}
	if c.Bool("D") {
		debugCommand(cfg, env.service)
	}
	log.Debug("executed")

	w, err := newWorker(cfg, env, flagsFrom(c))
	if err != nil {
		return failure(exitOSErr, err)
	}
	h, err := newServer(cfg, c)
	if err != nil {
		// Still ready in master's books: that makes it a failure to start, and
		// five of them close the port.
		return failure(exitFailed, err)
	}
	w.handler = h
	logWarnings(cfg)
	if c.Bool("X") {
		return w.stdio()
	}
	return silent(w.run())
}

// identity is what master says in the environment.
type identity struct {
	service  string // CYRUS_SERVICE, the entry's name
	id       int    // CYRUS_ID, which of its sockets
	sessions int    // CYRUS_SESSIONS, 0 when master is not ours or sets no limit
	prefork  int    // CYRUS_PREFORK, 0 when master is not ours
	ours     bool   // master understands StatusSessions
}

func environment() (identity, error) {
	env := identity{service: os.Getenv("CYRUS_SERVICE")}
	if env.service == "" {
		return env, errors.New("could not getenv(CYRUS_SERVICE)")
	}
	id, ok := os.LookupEnv("CYRUS_ID")
	if !ok {
		return env, errors.New("could not getenv(CYRUS_ID)")
	}
	env.id, _ = strconv.Atoi(id)
	var sessions string
	sessions, env.ours = os.LookupEnv(EnvSessions)
	env.sessions, _ = strconv.Atoi(sessions)
	env.prefork, _ = strconv.Atoi(os.Getenv(EnvPrefork))
	return env, nil
}

// openLog opens the log as every daemon does: the entry's name as ident.
func openLog(cfg *config.Config, ident string) {
	o := command.LogOptions(cfg)
	o.Stderr = os.Getenv(EnvStderr) != ""
	log.Open(ident, o)
}

// settle becomes the cyrus user, when master has not seen to that, and sets
// the umask of the files to come.
func settle(cfg *config.Config) error {
	if err := command.Become(cfg); err != nil {
		return err
	}
	if mask, err := strconv.ParseUint(cfg.Str("umask"), 8, 12); err == nil {
		unix.Umask(int(mask))
	}
	return nil
}

// logWarnings says once what imapd.conf holds that is not acted upon.
func logWarnings(cfg *config.Config) {
	for _, w := range cfg.Warnings() {
		log.Warning("%s", w)
	}
}

// silent is an exit without a word: what there was to say is in the log.
func silent(code int) error {
	if code == 0 {
		return nil
	}
	return cli.Exit("", code)
}

// failure logs err and is an exit with the code that err carries, else code.
func failure(code int, err error) error {
	log.Err("%v", err)
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		code = coder.ExitCode()
	}
	return silent(code)
}
