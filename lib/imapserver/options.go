package imapserver

import (
	"math"
	"path/filepath"
	"time"

	"gocyrus/lib/charset"
	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/search"
	"gocyrus/lib/service"
	"gocyrus/lib/spool"
	"gocyrus/lib/syncserver"
	"gocyrus/lib/version"
)

// Options are the settings of imapd.conf that the engine itself obeys, and the
// flags of imapd.
type Options struct {
	ServerName string // servername
	ServerInfo string // serverinfo: on, min or off
	Version    string // as greeting and ID give it
	Limits     imapwire.Limits
	Sync       csync.Limits // of what a master may send
	MaxMessage int64        // maxmessagesize, octets; what APPENDLIMIT says

	Timeout     time.Duration // timeout, at least 30 minutes
	IdleTimeout time.Duration // imapidletimeout
	IdlePoll    time.Duration // imapidlepoll; 0: no IDLE

	Suppress      []string // suppress_capabilities
	StartTLS      bool     // allowstarttls
	TLSNeeded     bool     // tls_required
	Plaintext     bool     // allowplaintext
	IDResponse    bool     // imapidresponse
	ReadOnly      bool     // readonly, replicaonly
	Audit         bool     // auditlog
	Chatty        bool     // chatty
	LoginAlert    string   // plaintextloginalert
	LoginPause    time.Duration
	AllSubscribed bool   // allowallsubscribe: LSUB shows names that are not there
	Deleted       bool   // allowdeleted: LIST and SELECT may ask for what is deleted
	UseAlways     bool   // specialusealways
	LogDir        string // where directories of users to be watched lie

	Warn          quotaWarning
	Annotations   annotOptions
	OwnerRights   string // implicit_owner_rights
	Conversations bool   // conversations
	Spool         spool.Options
	Search        search.Options
	Namespace     *mboxname.Namespace

	Implicit  bool // imapd -s: TLS from the first octet
	External  int  // imapd -p: strength of a layer outside of imapd
	NoCheck   bool // imapd -N: any password will do
	SkipQuota bool // imapd -q
}

// minTimeout is the least that RFC 9051 section 5.4 lets a server wait.
const minTimeout = 30 * time.Minute

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		ServerName: service.ServerName(cfg),
		ServerInfo: cfg.Enum("serverinfo"),
		Version:    version.String(),
		Sync:       syncserver.LimitsFrom(cfg),
		Limits: imapwire.Limits{
			Word:    int(cfg.Bytes("maxword")),
			Quoted:  int(cfg.Bytes("maxquoted")),
			Literal: cfg.Bytes("maxliteral"),
			Args:    cfg.Bytes("maxargssize"),
			Minus:   cfg.Bool("literalminus"),
		},
		MaxMessage:    cfg.Bytes("maxmessagesize"),
		Timeout:       max(cfg.Duration("timeout"), minTimeout),
		IdlePoll:      cfg.Duration("imapidlepoll"),
		Suppress:      cfg.List("suppress_capabilities"),
		StartTLS:      cfg.Bool("allowstarttls"),
		TLSNeeded:     cfg.Bool("tls_required"),
		Plaintext:     cfg.Bool("allowplaintext"),
		IDResponse:    cfg.Bool("imapidresponse"),
		ReadOnly:      cfg.Bool("readonly"),
		Audit:         cfg.Bool("auditlog"),
		Chatty:        cfg.Bool("chatty"),
		LoginAlert:    cfg.Str("plaintextloginalert"),
		LoginPause:    cfg.Duration("plaintextloginpause"),
		AllSubscribed: cfg.Bool("allowallsubscribe"),
		Deleted:       cfg.Bool("allowdeleted"),
		UseAlways:     cfg.Bool("specialusealways"),
		LogDir:        filepath.Join(cfg.Dir(), "log"),
		Warn:          quotaWarningFrom(cfg),
		Annotations:   annotOptionsFrom(cfg),
		OwnerRights:   cfg.Str("implicit_owner_rights"),
		Conversations: cfg.Bool("conversations"),
		Spool:         spool.OptionsFrom(cfg),
		Search:        search.Options{Text: charset.SearchOptionsFrom(cfg)},
		Namespace:     mboxname.NamespaceFrom(cfg),
	}
	o.IdleTimeout = o.Timeout
	if cfg.IsSet("imapidletimeout") {
		o.IdleTimeout = cfg.Duration("imapidletimeout")
	}
	if o.Limits.Args <= 0 {
		o.Limits.Args = defaultArgs
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = math.MaxInt32
	}
	return o
}

// defaultArgs bounds the arguments of one command where maxargssize does not.
const defaultArgs = 16 << 20
