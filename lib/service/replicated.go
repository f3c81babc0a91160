package service

import (
	"errors"

	"gocyrus/lib/config"
)

// ErrReplicated is the error of a server that is to share one spool with others.
var ErrReplicated = errors.New("mupdate_config: replicated is not supported: take unified, or replication by sync_client")

// CheckMurder refuses a kind of murder that cannot be right: that of servers which share
// one spool and have lists, quotas, seen state and locks of their own. Between the change
// of one and the news of it at the others they would open what is not there, or write
// where another writes; and a directory by unique id is not found by a name alone, which
// is all that MUPDATE tells. In Cyrus such a server starts, and can open no mailbox.
//
// A master has nothing to do with it, and may have the option.
func CheckMurder(cfg *config.Config) error {
	if cfg.IsSet("mupdate_server") && cfg.Enum("mupdate_config") == "replicated" {
		return ErrReplicated
	}
	return nil
}
