package syncclient

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/synclog"
	"gocyrus/lib/tlsconf"
)

// Options are what a client does and how. OptionsFrom reads what imapd.conf says;
// the flags of sync_client set the rest.
type Options struct {
	Channel string // whose log and options these are; empty is the default
	Dial    csync.Options
	TLS     tlsconf.Options
	// MechsOf are the mechanisms for servers by the first part of their name
	// (HOST_mechs); Dial.Mechs, when set, beats them.
	MechsOf func(host string) []string

	Interval     time.Duration // least time of a rolling round
	MaxWait      time.Duration // cap of the back-off; 0 or less is none
	ShutdownFile string
	SessionTime  time.Duration // -t: a connection is given up after that; 0 is never
	CacheKind    string        // sync_cache_db
	CachePath    string        // empty is no cache
	Log          synclog.Options
	BatchSize    int // sync_batchsize: new messages of a mailbox that go over together; 0 or less is all

	Partition       string // -p: of the replica; empty is that of each mailbox
	LocalOnly       bool   // -L: the LOCAL_ forms
	NoWait          bool   // -N: a user that another client works on is left alone
	NoCopyBack      bool   // -O: this side wins, and is not repaired
	ConnectOnce     bool   // -o
	NeedCompression bool   // -z
	UseCache        bool   // what was remembered of the replica need not be asked

	// Moving says that this is the way of mailboxes to another server, whose records
	// say so: see mboxops.Cargo.
	Moving bool
	// Only, unless nil, says which mailboxes of a user are brought over: the rest is
	// not looked at.
	Only func(mboxname.Name) bool
	// Stray, unless nil, says of a mailbox that the replica alone has whether it is a
	// leftover, which goes.
	Stray func(*csync.Mailbox) bool

	Users int   // how many users are worked on at the same time
	Bytes int64 // of messages on their way
}

// Figures that no option sets.
const (
	// defaultUsers keeps a slow line busy: each user mostly waits for answers.
	defaultUsers = 32
	// defaultBytes is more than a line of 1 Gbit/s and 100 ms holds. What waits to
	// be sent stands in the way of everybody else's requests, so it is not more.
	defaultBytes = 16 << 20
	// leastTimeout is that of Cyrus.
	leastTimeout = 3 * time.Second
	// defaultSession is how long a connection of rolling replication is kept.
	defaultSession = 600 * time.Second
)

// OptionsFrom reads the options of a channel: those with the channel's name in
// front, then the plain ones. The error is a *config.Error.
func OptionsFrom(cfg *config.Config, channel string) (Options, error) {
	c := chooser{cfg, channel}
	o := Options{
		Channel: channel,
		Dial: csync.Options{
			Bind:    backend.BindName(cfg),
			Addr:    c.Str("sync_host"),
			Port:    c.Str("sync_port"),
			TryIMAP: cfg.Bool("sync_try_imap"),
			Cred: saslclient.Credentials{
				AuthcID:  c.Str("sync_authname"),
				Password: c.Str("sync_password"),
				Realm:    c.Str("sync_realm"),
			},
			Mechs:          mechs(cfg.Str("force_sasl_client_mech")),
			ConnectTimeout: cfg.Duration("client_timeout"),
			Timeout:        max(cfg.Duration("sync_timeout"), leastTimeout),
		},
		TLS: tlsconf.OptionsFrom(cfg),
		MechsOf: func(host string) []string {
			text, _ := cfg.Extra(strings.ToLower(host) + "_mechs")
			return mechs(text)
		},
		Interval:     cfg.Duration("sync_repeat_interval"),
		MaxWait:      cfg.Duration("sync_reconnect_maxwait"),
		ShutdownFile: c.Str("sync_shutdown_file"),
		SessionTime:  defaultSession,
		CacheKind:    cfg.Str("sync_cache_db"),
		CachePath:    c.Str("sync_cache_db_path"),
		Log:          synclog.OptionsFrom(cfg),
		BatchSize:    cfg.Int("sync_batchsize"),
		Users:        defaultUsers,
		Bytes:        defaultBytes,
	}
	// Cyrus reads a switch of a channel as a number.
	if text, ok := c.own("sync_try_imap"); ok {
		n, err := strconv.Atoi(text)
		o.Dial.TryIMAP = err == nil && n != 0
	}
	if text, ok := c.own("sync_repeat_interval"); ok {
		secs, err := config.ParseDuration(text, 's')
		if err != nil {
			return o, &config.Error{File: cfg.Path(), Text: channel + "_sync_repeat_interval: " + text, Err: err}
		}
		o.Interval = time.Duration(secs) * time.Second
	}
	return o, nil
}

// mechs are the mechanisms of a list; nil, which is any, when it is empty.
func mechs(text string) []string {
	if list := strings.Fields(text); len(list) > 0 {
		return list
	}
	return nil
}

// chooser finds the value of an option for a channel.
type chooser struct {
	cfg     *config.Config
	channel string
}

// own is the value with the channel's name in front.
func (c chooser) own(name string) (string, bool) {
	if c.channel == "" {
		return "", false
	}
	return c.cfg.Extra(strings.ToLower(c.channel) + "_" + name)
}

func (c chooser) Str(name string) string {
	if text, ok := c.own(name); ok {
		return text
	}
	return c.cfg.Str(name)
}

// dialing are the options of the connection, complete. The error is csync.ErrAddress
// or one of the certificates.
func (o *Options) dialing() (csync.Options, error) {
	d := o.Dial
	addr, err := csync.ParseAddress(d.Addr)
	if err != nil {
		return d, err
	}
	if len(d.Mechs) == 0 && o.MechsOf != nil {
		short, _, _ := strings.Cut(addr.Host, ".")
		d.Mechs = o.MechsOf(short)
	}
	if d.TLS, err = tlsconf.Client(o.TLS, addr.Host); err != nil {
		return d, fmt.Errorf("TLS: %w", err)
	}
	d.HasCert = len(d.TLS.Certificates) > 0
	return d, nil
}

// target is the partition that a mailbox is to be on at the replica.
func (o *Options) target(partition string) string {
	if o.Partition != "" {
		return o.Partition
	}
	return partition
}

// item is the name of an item, with LOCAL_ in front where that is wanted.
func (o *Options) item(name string) string {
	if o.LocalOnly {
		return "LOCAL_" + name
	}
	return name
}
