package service

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/proc"
)

// Options are what the skeleton itself reads of imapd.conf.
type Options struct {
	Dir         string // configdirectory
	ProcDir     string // proc_path
	SessionBase string // first part of session ids: syslog_prefix, else servername
	Sessions    int    // sessions_per_process
	Logins      proc.Limits

	Keepalive      bool // tcp_keepalive
	KeepaliveCount int  // 0 is the system's
	KeepaliveIdle  time.Duration
	KeepaliveIntvl time.Duration
}

// OptionsFrom reads the options once.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Dir:         cfg.Dir(),
		ProcDir:     cfg.Str("proc_path"),
		SessionBase: cfg.Str("syslog_prefix"),
		Sessions:    cfg.Int("sessions_per_process"),
		Logins: proc.Limits{
			PerUser: cfg.Int("maxlogins_per_user"),
			PerHost: cfg.Int("maxlogins_per_host"),
		},
		Keepalive:      cfg.Bool("tcp_keepalive"),
		KeepaliveCount: cfg.Int("tcp_keepalive_cnt"),
		KeepaliveIdle:  cfg.Duration("tcp_keepalive_idle"),
		KeepaliveIntvl: cfg.Duration("tcp_keepalive_intvl"),
	}
	if o.ProcDir == "" {
		o.ProcDir = filepath.Join(o.Dir, "proc")
	}
	if o.SessionBase == "" {
		o.SessionBase = ServerName(cfg)
	}
	return o
}

// ServerName is servername, or the host's name when that is not set.
func ServerName(cfg *config.Config) string {
	if name := cfg.Str("servername"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// defaultIdle is -T's default, in seconds.
const defaultIdle = 60

// defaultUses is -U's.
const defaultUses = 250

// flags are the skeleton's own.
type flags struct {
	uses    int           // sessions until it retires, for each that it may hold at once
	idle    time.Duration // 0 never exits for want of work
	idleSet bool          // -T was given
	stdio   bool
}

// flagsFrom reads them. -U counts for each session the process may hold at
// once: it stands for as many processes of Cyrus, and a cyrus.conf that says
// "imapd -U 30" does not mean a process for every 30 idle clients. The idle
// time is spread, so that the workers of a machine whose network failed do not
// all exit at once.
func flagsFrom(c *cli.Context) flags {
	f := flags{uses: max(c.Int("U"), 1), idleSet: c.IsSet("T"), stdio: c.Bool("X")}
	seconds := defaultIdle
	if f.idleSet {
		seconds = c.Int("T")
	}
	if seconds > 0 {
		f.idle = time.Duration(seconds)*time.Second + rand.N(time.Duration(seconds)*time.Second)
	}
	return f
}

// debugCommand runs debug_command, a printf template of program, pid and
// entry's name, by the shell as Cyrus does.
func debugCommand(cfg *config.Config, entry string) {
	template := cfg.Str("debug_command")
	if template == "" {
		return
	}
	cmd := fillTemplate(template, []string{os.Args[0], strconv.Itoa(os.Getpid()), entry})
	log.Debug("running external debugger: %s", cmd)
	sh := exec.Command("/bin/sh", "-c", cmd)
	sh.Stdin, sh.Stdout, sh.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := sh.Run()
	log.Debug("debugger returned exit status: %d (%v)", sh.ProcessState.ExitCode(), err)
}

// fillTemplate replaces %s and %d in order, and %% by a per cent sign.
func fillTemplate(template string, args []string) string {
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] != '%' || i+1 == len(template) {
			b.WriteByte(template[i])
			continue
		}
		i++
		switch {
		case template[i] == '%':
			b.WriteByte('%')
		case len(args) > 0:
			b.WriteString(args[0])
			args = args[1:]
		}
	}
	return b.String()
}
