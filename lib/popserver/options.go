package popserver

import (
	"path/filepath"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/service"
	"gocyrus/lib/version"
)

// Options are the settings of imapd.conf that the engine itself obeys, and the
// flags of pop3d.
type Options struct {
	ServerName string // servername
	ServerInfo string // serverinfo: on, min or off
	Version    string // as greeting and CAPA give it

	Timeout     time.Duration // poptimeout, at least 10 minutes
	MinPoll     time.Duration // popminpoll
	PollPadding int           // poppollpadding
	Expire      time.Duration // popexpiretime, negative for never
	UIDL        string        // uidl_format
	SubFolders  bool          // popsubfolders
	UseACL      bool          // popuseacl
	IMAPFlags   bool          // popuseimapflags
	APOP        bool          // allowapop
	TLSNeeded   bool          // tls_required
	Plaintext   bool          // allowplaintext
	StartTLS    bool          // allowstarttls
	ReadOnly    bool          // readonly
	Vanished    bool          // disconnect_on_vanished_mailbox
	Anonymous   bool          // allowanonymouslogin
	Chatty      bool          // chatty
	Audit       bool          // auditlog
	LoginPause  time.Duration // plaintextloginpause
	AutoUsers   []string      // autocreate_users: identifiers
	LogDir      string        // where directories of users to be watched lie
	Namespace   *mboxname.Namespace

	Implicit bool // pop3d -s: TLS from the first octet
	External int  // pop3d -p: strength of a layer outside of pop3d
}

// minTimeout is the least that RFC 1939 section 3 lets a server wait.
const minTimeout = 10 * time.Minute

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		ServerName:  service.ServerName(cfg),
		ServerInfo:  cfg.Enum("serverinfo"),
		Version:     version.String(),
		Timeout:     max(cfg.Duration("poptimeout"), minTimeout),
		MinPoll:     cfg.Duration("popminpoll"),
		PollPadding: cfg.Int("poppollpadding"),
		Expire:      cfg.Duration("popexpiretime"),
		UIDL:        cfg.Enum("uidl_format"),
		SubFolders:  cfg.Bool("popsubfolders"),
		UseACL:      cfg.Bool("popuseacl"),
		IMAPFlags:   cfg.Bool("popuseimapflags"),
		APOP:        cfg.Bool("allowapop"),
		TLSNeeded:   cfg.Bool("tls_required"),
		Plaintext:   cfg.Bool("allowplaintext"),
		StartTLS:    cfg.Bool("allowstarttls"),
		ReadOnly:    cfg.Bool("readonly"),
		Vanished:    cfg.Bool("disconnect_on_vanished_mailbox"),
		Anonymous:   cfg.Bool("allowanonymouslogin"),
		Chatty:      cfg.Bool("chatty"),
		Audit:       cfg.Bool("auditlog"),
		LoginPause:  cfg.Duration("plaintextloginpause"),
		AutoUsers:   cfg.List("autocreate_users"),
		LogDir:      filepath.Join(cfg.Dir(), "log"),
		Namespace:   mboxname.NamespaceFrom(cfg),
	}
}
