package synclog

import (
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/lib/config"
)

// Options say which logs there are and where.
type Options struct {
	On             bool     // sync_log
	Chain          bool     // sync_log_chain: what a replica is told to change goes on to its own replicas
	Channels       []string // sync_log_channels; "" is the default channel
	Unsuppressable []string // sync_log_unsuppressable_channels: squatter's and the like
	Dir            string   // of the logs: configdirectory/sync
	Notes          string   // directory of the notes of running processes
}

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		On:             cfg.Bool("sync_log"),
		Chain:          cfg.Bool("sync_log_chain"),
		Channels:       []string{""},
		Unsuppressable: channels(cfg.Str("sync_log_unsuppressable_channels")),
		Dir:            filepath.Join(cfg.Dir(), "sync"),
		// Not below Dir, where every name is that of a channel.
		Notes: filepath.Join(cfg.Dir(), "inflight.sync"),
	}
	if cfg.IsSet("sync_log_channels") {
		o.Channels = channels(cfg.Str("sync_log_channels"))
	}
	return o
}

// channels reads a list of channels, in which two quotes are the default one.
func channels(s string) []string {
	var list []string
	for _, name := range strings.Fields(s) {
		if name == `""` {
			name = ""
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// path is the file of a channel.
func (o *Options) path(channel string) string { return filepath.Join(o.Dir, channel, "log") }
