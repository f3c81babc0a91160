// Package master is the supervisor of a Cyrus server: it runs what cyrus.conf
// says, and never touches mail.
//
// It runs START one after the other, binds every socket of SERVICES, becomes
// the cyrus user, and then loops: it starts a worker when a client calls and
// none is ready, keeps prefork of them waiting, restarts DAEMONs, runs EVENTS
// by the clock, and buries the dead. Workers accept connections themselves
// and report to master over a pipe; package service has the other side and
// the words of that conversation.
//
// A worker may be Cyrus's own, which takes one connection at a time, or one of
// ours, which takes many. Master knows by the program file. maxchild bounds
// the sessions of a socket, whichever way they are spread over processes: a
// worker stands for as many places as it was given at its start, or, once it
// takes no more connections, for the sessions it still has.
//
// All of it is one goroutine around poll(2). Another turns signals into a
// byte in a pipe.
package master

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/background"
	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
	"gocyrus/lib/proc"
)

// Exit statuses of sysexits.h that master has.
const (
	exFailed      = 1
	exUnavailable = 69
	exOSErr       = 71
	exTempFail    = 75
	exConfig      = 78
)

// Options are master's command line.
type Options struct {
	Config  string // -C, imapd.conf
	Conf    string // -M, cyrus.conf
	PidFile string // -p; empty is master_pid_file
	Ready   string // -r; empty is master_ready_file
	LogFile string // -L, where standard output and error go
	Backlog int    // -l
	Janitor int    // -j, sweeps a second
	Verbose int    // -v
	Daemon  bool   // -d
	Debug   bool   // -D
}

// master is the state of the running supervisor.
type master struct {
	opts    Options
	cfg     *config.Config
	tos     int
	procDir string
	dirs    []string // where programs are looked up
	null    *os.File
	pidFile *os.File
	now     func() time.Time

	sockets   []*socket // SERVICES, and DAEMONs without wait
	waits     []*socket // DAEMONs with wait=yes, in file order
	events    []*event
	children  map[int]*child
	waitGroup int // process group of the wait daemons; 0 is none yet

	signals  signals
	wake     time.Time // when to look around again, zero for never
	swept    time.Time
	stopping bool
}

// fatal ends master: why goes to the log.
type fatal struct {
	code int
	text string
}

func (f *fatal) Error() string { return f.text }

func fatalf(code int, format string, args ...any) error {
	return &fatal{code, fmt.Sprintf(format, args...)}
}

// Run is master's life; it returns the exit status.
func Run(o Options) int {
	code := run(o)
	log.Flush(2 * time.Second)
	return code
}

func run(o Options) int {
	openLog(o, nil)
	if o.Janitor < 1 {
		return die(fatalf(exConfig, "The janitor period must be at least 1 second"))
	}
	if o.Daemon && o.Debug {
		return die(fatalf(exConfig, "Unable to be both debug and daemon mode"))
	}
	cfg, err := config.Load(o.Config, "master")
	if err != nil {
		return die(err)
	}
	openLog(o, cfg)
	if o.Daemon && !background.Child() {
		return daemonise(pidFileName(o, cfg))
	}
	m, err := newMaster(o, cfg)
	if err == nil {
		err = m.begin()
	}
	if err != nil {
		return die(err)
	}
	m.loop()
	m.end()
	return 0
}

// die logs why master cannot go on and returns the status for it.
func die(err error) int {
	log.Crit("%v", err)
	log.Notice("exiting")
	switch e := err.(type) {
	case *fatal:
		return e.code
	case interface{ ExitCode() int }:
		return e.ExitCode()
	}
	return exFailed
}

// openLog opens the log as master; syslog_facility is not for it.
func openLog(o Options, cfg *config.Config) {
	lo := log.Options{Stderr: o.Debug, Debug: o.Verbose > 0}
	if cfg != nil {
		lo.Prefix = cfg.Str("syslog_prefix")
		lo.Debug = lo.Debug || cfg.Bool("debug")
	}
	log.Open("master", lo)
}

func newMaster(o Options, cfg *config.Config) (*master, error) {
	m := &master{
		opts: o, cfg: cfg, now: time.Now,
		tos:      tos(cfg.Enum("qosmarking")),
		procDir:  cfg.Str("proc_path"),
		dirs:     searchDirs(),
		children: map[int]*child{},
	}
	if m.procDir == "" {
		m.procDir = filepath.Join(cfg.Dir(), "proc")
	}
	var err error
	if m.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, fatalf(2, "couldn't open %s: %v", os.DevNull, err)
	}
	return m, nil
}

// begin does everything up to the loop, in Cyrus's order.
func (m *master) begin() error {
	if err := m.redirect(); err != nil {
		return err
	}
	if err := m.lockPidFile(pidFileName(m.opts, m.cfg)); err != nil {
		background.Report(exOSErr)
		return err
	}
	background.Report(0)
	log.Debug("process started")
	os.Remove(m.readyName())

	became, err := becomeKeepingPorts(m.cfg)
	if err != nil {
		return fatalf(exFailed, "can't change to the cyrus user: %v", err)
	}
	file, err := masterconf.Load(m.opts.Conf)
	if err != nil {
		return err
	}
	if err := m.runStart(file); err != nil {
		return err
	}
	if err := m.configure(file); err != nil {
		return err
	}
	if err := m.signals.open(); err != nil {
		return fatalf(exFailed, "unable to install signal handlers: %v", err)
	}
	if err := m.bindAll(); err != nil {
		return err
	}
	if !became {
		if err := command.Become(m.cfg); err != nil {
			return fatalf(exFailed, "can't change to the cyrus user: %v", err)
		}
	}
	if m.opts.Daemon {
		if err := m.enterCores(); err != nil {
			return err
		}
	}
	if _, err := proc.Clean(m.procDir); err != nil {
		log.Err("IOERROR: proc directory: %v", err)
	}
	if err := m.startWaitDaemons(); err != nil {
		return err
	}
	log.Debug("ready for work")
	return m.writeReady()
}

func (m *master) verbosef(level int, format string, args ...any) {
	if m.opts.Verbose >= level {
		log.Debug(format, args...)
	}
}
