package mupdateserver

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/etcdtable"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/service"
	"gocyrus/lib/version"
)

// Options are the settings of imapd.conf that the engine obeys, and mupdate's
// flags.
type Options struct {
	Master bool // -m, or by -a

	ServerName  string        // servername
	Version     string        // as the greeting gives it
	MasterName  string        // mupdate_server, as a slave's greeting gives it
	Config      string        // mupdate_config: standard, unified, replicated
	Connections int           // mupdate_connections_max
	StartTLS    bool          // allowstarttls
	Idle        time.Duration // how long a client may be silent
	LogDir      string        // log/ of configdirectory, for telemetry
	Limits      mupdate.Limits
	Workers     Workers
	Client      mupdate.Options // of a slave; its Timeout is that of a master's clients, too

	Etcd         etcdtable.Options // where a master shares its list
	PositionFile string            // up to where mailboxes.db mirrors it

	FlushEvery time.Duration // for how long changes are gathered for a stream
	MaxBehind  int           // changes that a stream may be behind
}

// Workers are the numbers of threads of Cyrus. Goroutines need none; but what
// Cyrus refuses to start with is refused here too.
type Workers struct{ Start, MinSpare, MaxSpare, Max int }

// idleLimit is how long a client may be silent. A slave says NOOP all the time.
const idleLimit = 3 * time.Hour

// flushEvery is for how long changes are gathered. Cyrus takes 5 seconds.
const flushEvery = 200 * time.Millisecond

// maxBehind is how many changes a slow stream may be behind, before it is cut
// off: with 200 octets a change, a few tens of megabytes for all streams
// together.
const maxBehind = 1 << 17

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		ServerName:  service.ServerName(cfg),
		Version:     version.String(),
		MasterName:  cfg.Str("mupdate_server"),
		Config:      cfg.Enum("mupdate_config"),
		Connections: cfg.Int("mupdate_connections_max"),
		StartTLS:    cfg.Bool("allowstarttls"),
		Idle:        idleLimit,
		LogDir:      filepath.Join(cfg.Dir(), "log"),
		Limits: mupdate.Limits{
			Word:    int(cfg.Bytes("maxword")),
			Quoted:  int(cfg.Bytes("maxquoted")),
			Literal: int(cfg.Bytes("maxliteral")),
		},
		Workers: Workers{
			Start:    cfg.Int("mupdate_workers_start"),
			MinSpare: cfg.Int("mupdate_workers_minspare"),
			MaxSpare: cfg.Int("mupdate_workers_maxspare"),
			Max:      cfg.Int("mupdate_workers_max"),
		},
		Client:     mupdate.OptionsFrom(cfg),
		FlushEvery: flushEvery,
		MaxBehind:  maxBehind,

		Etcd:         etcdtable.OptionsFrom(cfg),
		PositionFile: filepath.Join(cfg.Dir(), "mupdate.etcd"),
	}
	o.Etcd.Master, o.Etcd.Lenient = o.ServerName, o.Config != "standard"
	return o
}

// check refuses what Cyrus does not start with, in its words.
func (o *Options) check() error {
	w := o.Workers
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{w.Max < w.MinSpare, "Maximum total worker threads is less than minimum spare worker threads"},
		{w.Start < w.MinSpare, "Starting worker threads is less than minimum spare worker threads"},
		{w.MaxSpare < w.Start, "Maximum spare worker threads is less than starting worker threads"},
		{w.Max < w.Start, "Maximum total worker threads is less than starting worker threads"},
	} {
		if c.bad {
			return command.Fatal(command.ExSoftware, errors.New(c.text))
		}
	}
	switch {
	case o.Master && o.Etcd.Enabled() && o.Client.Timeout > 0 && o.Client.Timeout < leastClientTimeout:
		return command.Fatal(command.ExConfig, fmt.Errorf("client_timeout is shorter than %v: a master that shares its list could not tell what its clients have given up", leastClientTimeout))
	case o.Master && o.Config == "unified":
		return command.Fatal(command.ExUsage, errors.New("cannot run mupdate master on a unified server"))
	case !o.Master && len(o.Client.Servers) == 0:
		return command.Fatal(command.ExUnavailable, errors.New("couldn't get mupdate server name"))
	case !o.Master && o.Client.RetryDelay < 0:
		return command.Fatal(command.ExUnavailable, errors.New("invalid value for mupdate_retry_delay"))
	}
	return nil
}

// hostOf is the host of host[:port][/tls].
func hostOf(server string) string {
	server, _, _ = strings.Cut(server, "/")
	if h, _, err := net.SplitHostPort(server); err == nil {
		return h
	}
	return strings.Trim(server, "[]")
}
