package proxy

import (
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/tlsconf"
)

// Options are what imapd.conf says of the other servers of a murder.
type Options struct {
	// Frontend: this server has no mailboxes, and is the clients' way to those
	// that have. It takes part in a standard murder (mupdate_server) and lets nobody act
	// for others (proxyservers).
	Frontend bool
	// Unified: every server of the murder is a frontend and a backend in one.
	Unified bool
	Self    string // servername: what records of others call this server

	AuthName string // proxy_authname
	Realm    string // proxy_realm
	Timeout  time.Duration
	Bind     string // client_bind_name, by client_bind; "" for what the system chooses
	Compress bool   // proxy_compress
	TLS      tlsconf.Options

	Servers   []string // serverlist: for new mailboxes
	Mode      Mode     // serverlist_select_mode
	Reinit    int      // serverlist_select_usage_reinit: picks before usage is asked again
	SoftLimit int      // serverlist_select_soft_usage_limit, percent

	NoReferrals    bool // proxyd_disable_mailbox_referrals
	StatusReferral bool // proxyd_allow_status_referral

	// Address, when set, says where a server is really to be found. For tests,
	// whose servers share a machine.
	Address func(p *backend.Protocol, addr string) string

	password string   // proxy_password
	mechs    []string // force_sasl_client_mech
	extra    func(key string) (string, bool)
}

// Mode is how a server is picked for a mailbox that has no parent.
type Mode string

// The modes, as serverlist_select_mode names them.
const (
	Random        Mode = "random"
	Most          Mode = "freespace-most"
	PercentMost   Mode = "freespace-percent-most"
	Weighted      Mode = "freespace-percent-weighted"
	WeightedDelta Mode = "freespace-percent-weighted-delta"
)

// leastTimeout is for a client_timeout that would let nothing happen.
const leastTimeout = 3 * time.Second

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) *Options {
	o := &Options{
		Frontend:       cfg.IsSet("mupdate_server") && cfg.Enum("mupdate_config") == "standard" && !cfg.IsSet("proxyservers"),
		Unified:        cfg.IsSet("mupdate_server") && cfg.Enum("mupdate_config") == "unified",
		Self:           backend.ServerName(cfg),
		AuthName:       cfg.Str("proxy_authname"),
		Realm:          cfg.Str("proxy_realm"),
		Timeout:        max(cfg.Duration("client_timeout"), leastTimeout),
		Bind:           backend.BindName(cfg),
		Compress:       cfg.Bool("proxy_compress"),
		TLS:            tlsconf.OptionsFrom(cfg),
		Servers:        servers(cfg.Str("serverlist")),
		Mode:           Mode(cfg.Str("serverlist_select_mode")),
		Reinit:         cfg.Int("serverlist_select_usage_reinit"),
		SoftLimit:      cfg.Int("serverlist_select_soft_usage_limit"),
		NoReferrals:    cfg.Bool("proxyd_disable_mailbox_referrals"),
		StatusReferral: cfg.Bool("proxyd_allow_status_referral"),
		password:       cfg.Str("proxy_password"),
		mechs:          words(cfg.Str("force_sasl_client_mech")),
		extra:          cfg.Extra,
	}
	return o
}

// Proxies says whether sessions of this server go on at others.
func (o *Options) Proxies() bool { return o.Frontend || o.Unified }

func servers(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
}

// words is nil for an empty list.
func words(list string) []string {
	if w := strings.Fields(list); len(w) > 0 {
		return w
	}
	return nil
}

// loginOf is what is needed to log in at one server.
type loginOf struct {
	password string
	mechs    []string // nil for what the server offers
}

// key is under which name options for one server stand: its name up to the first
// dot.
func key(host string) string {
	first, _, _ := strings.Cut(strings.ToLower(host), ".")
	return first
}

// of is HOST_name, when it is set.
func (o *Options) of(host, name string) (string, bool) {
	if o.extra == nil || host == "" {
		return "", false
	}
	return o.extra(key(host) + "_" + name)
}

func (o *Options) loginFor(host string) loginOf {
	l := loginOf{password: o.password, mechs: o.mechs}
	if p, ok := o.of(host, "password"); ok {
		l.password = p
	}
	if m, ok := o.of(host, "mechs"); ok {
		l.mechs = words(m)
	}
	return l
}

func (o *Options) tlsFor(host string) tlsconf.Options {
	t := o.TLS
	if f, ok := o.of(host, "client_cert"); ok {
		t.ClientCert, t.ClientKey = f, ""
	}
	if f, ok := o.of(host, "client_key"); ok {
		t.ClientKey = f
	}
	return t
}
