package mboxops

import (
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/config"
)

// Options are what the configuration says of the operations.
type Options struct {
	DefaultACL      []string // identifier and rights in turn, for a new shared mailbox
	DelayedDelete   bool
	UserMoves       bool // allowuserrename: INBOXes may be renamed by administrators
	AllSubscribed   bool // allowallsubscribe: names that do not exist may be subscribed to
	UseBelow        bool // specialuse also below the top level of a user
	UseExtra        []string
	UseProtect      []string // uses whose mailbox may not be deleted or moved down
	UseNoChildren   []string
	ImplicitAdmin   bool       // owners have the right to administer
	Implicit        acl.Rights // what owners have whatever the list says
	DeleteRight     byte
	AnyoneACL       bool // anyoneuseracl: users may grant rights to anyone
	UnsubscribeGone bool // delete_unsubscribe
	Autocreate      Autocreate
}

// Autocreate is what a user finds who comes for the first time.
type Autocreate struct {
	Post           bool  // by delivery too
	Quota          int64 // octets; negative does not create at all, 0 sets no limit
	QuotaMessages  int64
	Folders        []string // external names below INBOX, in the user's view
	Subscribe      []string
	ACL            [][3]string       // folder, identifier, rights
	Use            map[string]string // folder to special use, from xlist-USE options
	SubscribeShare []string          // shared folders, as external names for an administrator
	SubscribeAll   bool
}

// Uses that exist (RFC 6154), in the spelling that is stored. \All and
// \Flagged cannot be given to a mailbox.
var uses = []string{`\Archive`, `\Drafts`, `\Important`, `\Junk`, `\Sent`, `\Trash`, `\Snoozed`, `\Scheduled`}

// OptionsFrom reads the options.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		DefaultACL:      cfg.List("defaultacl"),
		DelayedDelete:   cfg.Enum("delete_mode") != "immediate",
		UserMoves:       cfg.Bool("allowusermoves"),
		AllSubscribed:   cfg.Bool("allowallsubscribe"),
		UseBelow:        cfg.Bool("allowspecialusesubfolder"),
		UseExtra:        cfg.List("specialuse_extra"),
		UseProtect:      cfg.List("specialuse_protect"),
		UseNoChildren:   cfg.List("specialuse_nochildren"),
		DeleteRight:     'c',
		AnyoneACL:       cfg.Bool("anyoneuseracl"),
		UnsubscribeGone: cfg.Bool("delete_unsubscribe"),
		Autocreate: Autocreate{
			Post:           cfg.Bool("autocreate_post"),
			Quota:          cfg.Bytes("autocreate_quota"),
			QuotaMessages:  int64(cfg.Int("autocreate_quota_messages")),
			Folders:        fields(cfg.Str("autocreate_inbox_folders")),
			Subscribe:      fields(cfg.Str("autocreate_subscribe_folders")),
			SubscribeShare: fields(cfg.Str("autocreate_subscribe_sharedfolders")),
			SubscribeAll:   cfg.Bool("autocreate_subscribe_sharedfolders_all"),
			Use:            map[string]string{},
		},
	}
	if s := cfg.Str("deleteright"); s != "" {
		o.DeleteRight = s[0]
	}
	o.Implicit, _ = acl.Parse(cfg.Str("implicit_owner_rights"))
	o.ImplicitAdmin = o.Implicit&acl.Admin != 0
	for _, use := range uses {
		if folder, ok := cfg.Extra("xlist-" + strings.ToLower(use[1:])); ok {
			o.Autocreate.Use[folder] = use
		}
	}
	if line, ok := cfg.Extra("autocreate_acl"); ok {
		for f := strings.Fields(line); len(f) >= 3; f = f[3:] {
			o.Autocreate.ACL = append(o.Autocreate.ACL, [3]string{f[0], f[1], f[2]})
		}
	}
	return o
}

// fields splits a list whose elements, which may have blanks inside, are
// separated by "|".
func fields(s string) []string {
	var out []string
	for f := range strings.SplitSeq(s, "|") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}
