package etcdtable

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"gocyrus/lib/config"
)

// Options are where the table is.
type Options struct {
	Servers  []string      // mupdate_etcd_servers: URLs
	Prefix   string        // mupdate_etcd_prefix: of all keys
	User     string        // mupdate_etcd_username
	Password string        // mupdate_etcd_password
	CAFile   string        // mupdate_etcd_ca_file; "" for the system's
	Cert     string        // mupdate_etcd_client_cert
	Key      string        // mupdate_etcd_client_key
	Timeout  time.Duration // mupdate_etcd_timeout: how long an operation may take
	Master   string        // servername, of which each master has its own
	Lenient  bool          // mupdate_config is not standard: Reserve and Delete always succeed
}

// OptionsFrom reads the settings, but for Master and Lenient.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		Servers:  strings.Fields(cfg.Str("mupdate_etcd_servers")),
		Prefix:   cfg.Str("mupdate_etcd_prefix"),
		User:     cfg.Str("mupdate_etcd_username"),
		Password: cfg.Str("mupdate_etcd_password"),
		CAFile:   cfg.Str("mupdate_etcd_ca_file"),
		Cert:     cfg.Str("mupdate_etcd_client_cert"),
		Key:      cfg.Str("mupdate_etcd_client_key"),
		Timeout:  max(cfg.Duration("mupdate_etcd_timeout"), time.Second),
	}
}

// Enabled says whether there is to be a table in etcd.
func (o *Options) Enabled() bool { return len(o.Servers) > 0 }

// tls is the configuration for servers whose URLs begin with https, nil without
// any.
func (o *Options) tls() (*tls.Config, error) {
	secure := false
	for _, s := range o.Servers {
		secure = secure || strings.HasPrefix(s, "https://")
	}
	if !secure {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificates", o.CAFile)
		}
	}
	if o.Cert != "" {
		cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}
