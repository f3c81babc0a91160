package delivery

import (
	"strings"

	"gocyrus/lib/config"
)

// Options are the settings of imapd.conf that delivery obeys.
type Options struct {
	Suppress    bool     // duplicatesuppression
	Downcase    bool     // lmtp_downcase_rcpt
	Fuzzy       bool     // lmtp_fuzzy_mailbox_match
	CatchAll    string   // lmtp_catchall_mailbox: a userid
	PostUser    string   // postuser
	StrictQuota bool     // lmtp_strict_quota: the message itself counts
	NotInto     []string // lmtp_exclude_specialuse
	AutoUsers   []string // autocreate_users: identifiers

	Service string // the entry's name in cyrus.conf, which user_deny.db knows
}

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		Suppress:    cfg.Bool("duplicatesuppression"),
		Downcase:    cfg.Bool("lmtp_downcase_rcpt"),
		Fuzzy:       cfg.Bool("lmtp_fuzzy_mailbox_match"),
		CatchAll:    cfg.Str("lmtp_catchall_mailbox"),
		PostUser:    cfg.Str("postuser"),
		StrictQuota: cfg.Bool("lmtp_strict_quota"),
		NotInto:     strings.Fields(cfg.Str("lmtp_exclude_specialuse")),
		AutoUsers:   cfg.List("autocreate_users"),
		Service:     cfg.Service(),
	}
}
