// Package auth says who one is: the canonical form of a user id, the groups it
// belongs to, and whether it is an administrator or a proxy.
//
// A canonical id is what mailbox names, access control lists and the seen
// database hold: at most 80 octets, lower case where username_tolower asks for
// it, without the default domain. With virtual domains it may end in @domain.
//
// The package knows no passwords (saslserver) and no access control lists
// (acl): acl asks State.Member for each identifier of a list.
package auth

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/config"
)

// Virtual says whether the domain part of a user id counts (virtdomains).
type Virtual int

// VirtualUserID takes the domain from the id alone; VirtualOn also from the
// name of the server's address that the client reached.
const (
	VirtualOff Virtual = iota
	VirtualUserID
	VirtualOn
)

// Options are the settings of imapd.conf that this package obeys.
type Options struct {
	Virtual       Virtual  // virtdomains
	DefaultDomain string   // defaultdomain: this domain is dropped from ids
	ToLower       bool     // username_tolower
	Realms        []string // loginrealms: foreign realms that may log in
	Admins        []string // admins
	ProxyServers  []string // proxyservers
	UnixGroups    bool     // unix_group_enable: group:NAME from the system
}

// ErrMechanism is the error of an auth_mech that only an external service
// could answer for.
var ErrMechanism = errors.New("authorization mechanism not supported")

// OptionsFrom reads the settings. The error is ErrMechanism, wrapped with the
// value of auth_mech, unless that is unix.
func OptionsFrom(cfg *config.Config) (Options, error) {
	if m := cfg.Enum("auth_mech"); m != "unix" {
		return Options{}, fmt.Errorf("auth_mech: %s: %w", m, ErrMechanism)
	}
	o := Options{
		DefaultDomain: cfg.Str("defaultdomain"),
		ToLower:       cfg.Bool("username_tolower"),
		Realms:        cfg.List("loginrealms"),
		Admins:        cfg.List("admins"),
		ProxyServers:  cfg.List("proxyservers"),
		UnixGroups:    cfg.Bool("unix_group_enable"),
	}
	switch cfg.Enum("virtdomains") {
	case "userid":
		o.Virtual = VirtualUserID
	case "on", "yes", "true", "1", "t":
		o.Virtual = VirtualOn
	}
	return o, nil
}

// Rules answer for one configuration. They are safe for concurrent use.
type Rules struct {
	opts   Options
	groups *groupCache
	hosts  hostCache
}

// New returns the rules that o asks for.
func New(o Options) *Rules {
	return &Rules{opts: o, groups: newGroupCache(systemGroups)}
}

// Virtual is the setting of virtdomains.
func (r *Rules) Virtual() Virtual { return r.opts.Virtual }

// DefaultDomain is the setting of defaultdomain.
func (r *Rules) DefaultDomain() string { return r.opts.DefaultDomain }

// ErrRealm is the error of a login whose realm loginrealms does not name.
var ErrRealm = errors.New("cross-realm login denied")

// CheckRealm says whether the canonical id may log in here although it names
// a realm: where virtual domains are off, or loginrealms is set, the realm
// must be one that loginrealms begins a word with, as Cyrus compares them.
func (r *Rules) CheckRealm(id string) error {
	_, realm, ok := strings.Cut(id, "@")
	if !ok || r.opts.Virtual != VirtualOff && len(r.opts.Realms) == 0 {
		return nil
	}
	for _, word := range r.opts.Realms {
		if strings.EqualFold(word, realm) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", id, ErrRealm)
}
