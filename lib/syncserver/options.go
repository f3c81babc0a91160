package syncserver

import (
	"path/filepath"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/service"
	"gocyrus/lib/version"
)

// Options are the settings of imapd.conf that sync_server itself obeys, and its
// flags.
type Options struct {
	ServerName string        // servername
	Version    string        // as the greeting gives it
	Timeout    time.Duration // sync_timeout
	StartTLS   bool          // allowstarttls
	LogDir     string        // where directories of users to be watched lie
	Limits     csync.Limits  // maxliteral, maxquoted, maxword

	External int // -p: strength of a layer outside of sync_server
}

// minTimeout is the least that sync_timeout can be.
const minTimeout = 3 * time.Second

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		ServerName: service.ServerName(cfg),
		Version:    version.String(),
		Timeout:    max(cfg.Duration("sync_timeout"), minTimeout),
		StartTLS:   cfg.Bool("allowstarttls"),
		LogDir:     filepath.Join(cfg.Dir(), "log"),
		Limits:     LimitsFrom(cfg),
	}
}

// LimitsFrom reads the bounds of what a master may send.
func LimitsFrom(cfg *config.Config) csync.Limits {
	return csync.Limits{
		Literal: cfg.Bytes("maxliteral"),
		Quoted:  int(cfg.Bytes("maxquoted")),
		Word:    int(cfg.Bytes("maxword")),
	}
}
