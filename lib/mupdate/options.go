package mupdate

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/tlsconf"
)

// Options are what imapd.conf says of the way to the master.
type Options struct {
	Servers    []string // mupdate_server: host[:port][/tls]
	Port       string   // where none of them says: mupdate of the services database, else mupdate_port
	Cred       saslclient.Credentials
	Mechs      []string      // force_sasl_client_mech; nil for what the master offers
	Timeout    time.Duration // client_timeout: for connecting and logging in
	Bind       string        // client_bind_name, by client_bind
	TLS        tlsconf.Options
	RetryDelay time.Duration // mupdate_retry_delay: of a slave
	KickSocket string        // where the slave of this machine listens
	Kicks      bool          // there is such a slave to kick

	memory *memory // of which master is good
}

// OptionsFrom reads the settings. Several masters are an addition of ours.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Servers: cfg.List("mupdate_server"),
		Port:    port(cfg.Int("mupdate_port")),
		Cred: saslclient.Credentials{
			AuthcID:  cfg.Str("mupdate_authname"),
			AuthzID:  cfg.Str("mupdate_username"),
			Password: cfg.Str("mupdate_password"),
			Realm:    cfg.Str("mupdate_realm"),
		},
		Timeout:    cfg.Duration("client_timeout"),
		Bind:       backend.BindName(cfg),
		TLS:        tlsconf.OptionsFrom(cfg),
		RetryDelay: time.Duration(cfg.Int("mupdate_retry_delay")) * time.Second,
		KickSocket: KickSocket(cfg.Dir()),
		memory:     &memory{},
	}
	if mechs := strings.Fields(cfg.Str("force_sasl_client_mech")); len(mechs) > 0 {
		o.Mechs = mechs
	}
	// A standard backend has no slave beside it.
	o.Kicks = o.Enabled() && !(cfg.Enum("mupdate_config") == "standard" && cfg.IsSet("proxyservers"))
	return o
}

// Enabled says whether this server is part of a Murder.
func (o *Options) Enabled() bool { return len(o.Servers) > 0 }

// port is that of the services database, which Cyrus's clients ask alone.
func port(configured int) string {
	if n, err := net.LookupPort("tcp", backend.MUPDATE.Name); err == nil {
		return strconv.Itoa(n)
	}
	if configured > 0 {
		return strconv.Itoa(configured)
	}
	return backend.MUPDATE.Port
}

// KickSocket is the path of a slave's kick socket, below configdirectory.
func KickSocket(dir string) string { return filepath.Join(dir, "socket", "mupdate.target") }

// address takes a server of Options apart.
func (o *Options) address(server string) (addr string, wrapped bool) {
	if strings.HasPrefix(server, "/") {
		return server, false // a unix socket
	}
	words := strings.Split(server, "/")
	for _, w := range words[1:] {
		wrapped = wrapped || w == "tls"
	}
	host, port, err := net.SplitHostPort(words[0])
	if err != nil {
		host, port = strings.Trim(words[0], "[]"), o.Port
	}
	return net.JoinHostPort(host, port), wrapped
}

// host is the name that the server's certificate should have.
func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return h
}
