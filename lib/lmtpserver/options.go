package lmtpserver

import (
	"math"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/service"
	"gocyrus/lib/spool"
	"gocyrus/lib/version"
)

// Options are the settings of imapd.conf that the engine itself obeys, and the
// flags of lmtpd.
type Options struct {
	ServerName string // servername
	ServerInfo string // serverinfo: on, min or off
	Version    string // as greeting and Received give it
	PostMaster string // postmaster
	MaxMessage int64  // maxmessagesize, octets
	SoftNoAuth bool   // soft_noauth: 430 rather than 530
	QuotaPerm  bool   // lmtp_over_quota_perm_failure
	StrictAddr bool   // lmtp_strict_rfc2821
	StartTLS   bool   // allowstarttls
	Chatty     bool   // chatty
	Timeout    time.Duration
	TxnTimeout time.Duration // lmtptxn_timeout: for one transaction with another server
	TempDir    string        // temp_path: where a frontend keeps a message meanwhile
	Spool      spool.Options

	Trusted bool // lmtpd -a: every client is postman
}

// idleLimit is how long lmtpd waits for a client.
const idleLimit = 360 * time.Second

// memory is how much of a message is held before it goes to its file, in
// octets: more than nearly all messages have, and little enough for a thousand
// connections at once.
const memory = 256 << 10

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		ServerName: service.ServerName(cfg),
		ServerInfo: cfg.Enum("serverinfo"),
		Version:    version.String(),
		PostMaster: cfg.Str("postmaster"),
		MaxMessage: cfg.Bytes("maxmessagesize"),
		SoftNoAuth: cfg.Bool("soft_noauth"),
		QuotaPerm:  cfg.Bool("lmtp_over_quota_perm_failure"),
		StrictAddr: cfg.Bool("lmtp_strict_rfc2821"),
		StartTLS:   cfg.Bool("allowstarttls"),
		Chatty:     cfg.Bool("chatty"),
		Timeout:    idleLimit,
		TxnTimeout: cfg.Duration("lmtptxn_timeout"),
		TempDir:    cfg.Str("temp_path"),
		Spool:      spool.OptionsFrom(cfg),
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = math.MaxInt32
	}
	o.Spool.MaxSize, o.Spool.Memory = o.MaxMessage, memory
	return o
}
