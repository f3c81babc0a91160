package saslserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gocyrus/lib/config"
)

// Config are the settings of imapd.conf that this package obeys.
type Config struct {
	Service string // SASL's name of the protocol: imap, pop, lmtp, sieve, mupdate, csync
	Ident   string // name of the entry in cyrus.conf, which user_deny.db is asked for
	Realm   string // of users who name none: servername

	Mechs          []string // sasl_mech_list in capitals; nil means all
	PwCheck        []string // sasl_pwcheck_method
	SaslauthdPath  string   // sasl_saslauthd_path
	SecretsPath    string   // sasl_sasldb_path; empty for none
	AllowPlaintext bool     // allowplaintext
	AllowAnonymous bool     // allowanonymouslogin
	MinSSF         int      // sasl_minimum_layer
	FailedPause    time.Duration
	UseACL         bool // loginuseacl
	AdminsOnly     bool // lmtp, mupdate: nobody else has business there
	MaxChecks      int  // passwords checked at once
	Plus           Plus // sasl_channel_binding
	Detail         bool // imapmagicplus, popsubfolders: a user may log in as alice+Work
	OAuth          OAuth
}

// Plus says when the -PLUS mechanisms are offered. It is an option of ours.
type Plus int

// QUIRK: libsasl's client, once it sees a -PLUS, binds the channel by tls-unique
// also in TLS 1.3, which has none (RFC 9266), and fails. So they are not offered
// there unless the site says that it has no such clients.
const (
	PlusAuto   Plus = iota // where tls-unique is: before TLS 1.3
	PlusAlways             // in TLS 1.3 too, by tls-exporter
	PlusNever
)

var plusWords = map[string]Plus{"auto": PlusAuto, "always": PlusAlways, "never": PlusNever}

// DefaultSaslauthd is where saslauthd listens when sasl_saslauthd_path does not
// say.
const DefaultSaslauthd = "/var/run/saslauthd/mux"

// DefaultSecrets returns where the secrets lie when sasl_sasldb_path does not
// say.
func DefaultSecrets(configdirectory string) string {
	return filepath.Join(configdirectory, "sasldb")
}

// OptionsFrom reads the settings for a SASL service.
func OptionsFrom(cfg *config.Config, service string) (Config, error) {
	c := Config{
		Service:        service,
		Ident:          cfg.Service(),
		Realm:          cfg.Str("servername"),
		AllowPlaintext: cfg.Bool("allowplaintext"),
		AllowAnonymous: cfg.Bool("allowanonymouslogin"),
		MinSSF:         cfg.Int("sasl_minimum_layer"),
		FailedPause:    cfg.Duration("failedloginpause"),
		UseACL:         cfg.Bool("loginuseacl"),
		Detail:         service == "imap" && cfg.Bool("imapmagicplus") || service == "pop" && cfg.Bool("popsubfolders"),
		AdminsOnly:     service == "lmtp" || service == "mupdate",
		MaxChecks:      8 * runtime.GOMAXPROCS(0),
		SaslauthdPath:  saslOption(cfg, "saslauthd_path", DefaultSaslauthd),
		SecretsPath:    saslOption(cfg, "sasldb_path", DefaultSecrets(cfg.Dir())),
		PwCheck:        strings.Fields(strings.ToLower(saslOption(cfg, "pwcheck_method", "auxprop"))),
	}
	if c.Realm == "" {
		host, err := os.Hostname()
		if err != nil {
			return Config{}, err
		}
		c.Realm = host
	}
	if list := saslOption(cfg, "mech_list", ""); list != "" {
		c.Mechs = strings.Fields(strings.ToUpper(list))
	}
	word := saslOption(cfg, "channel_binding", "auto")
	plus, ok := plusWords[word]
	if !ok {
		return Config{}, fmt.Errorf("sasl_channel_binding: %q is not one of auto, always, never", word)
	}
	c.Plus = plus
	oauth, err := oauthFrom(cfg)
	c.OAuth = oauth
	return c, err
}

// saslOption reads a sasl_ option, which imapd.conf takes without a table.
func saslOption(cfg *config.Config, name, missing string) string {
	if v, ok := cfg.Extra("sasl_" + name); ok && v != "" {
		return v
	}
	return missing
}
