package mailbox

import (
	"gocyrus/lib/config"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
)

// ExpungeMode is when files and records of expunged messages go.
type ExpungeMode int

const (
	ExpungeDelayed     ExpungeMode = iota // cyr_expire removes both
	ExpungeSemidelayed                    // files at the last close, records later
	ExpungeImmediate                      // both at the last close
)

// Options are what the package takes from imapd.conf.
type Options struct {
	Layout     *mboxname.Layout
	Partitions map[string]Partition

	// IndexVersion is the version of new mailboxes: 19 is Cyrus 3.10's, 17 is
	// the newest that 3.6 reads (our own option index_version). It decides the
	// form of new unique ids too.
	IndexVersion uint32
	AnnotDB      string          // annotation_db: the engine of new cyrus.annotations
	Parse        message.Options // for messages whose cache is lost

	Expunge        ExpungeMode
	Conversations  bool // the owner's mailboxes share a modseq clock
	SingleInstance bool // link rather than copy
	InitialFlags   []string
	DefaultOptions indexfile.Options
	LegacyDirs     bool // new mailboxes are of the legacy layout
	MaxMessages    int  // of an e-mail mailbox; 0 is no bound
	KeepOpen       int  // mailboxes kept mapped after their last close
	MaxActive      int  // mailboxes whose files are open; 0 is what the system has room for
}

// A Partition is the roots below which a mailbox's files are. Meta names the
// root of each kind of metapartition_files that is not Data.
type Partition struct {
	Data    string
	Archive string // empty when messages are not archived
	Meta    map[string]string
}

// kinds are the words of metapartition_files that this package has files of.
var kinds = []string{"header", "index", "cache", "expunge", "squat", "annotations", "lock", "dav", "archivecache"}

// OptionsFrom reads the options.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Layout:         mboxname.LayoutFrom(cfg),
		Partitions:     make(map[string]Partition),
		IndexVersion:   indexfile.MaxWrite,
		AnnotDB:        cfg.Enum("annotation_db"),
		Parse:          message.OptionsFrom(cfg),
		Conversations:  cfg.Bool("conversations"),
		SingleInstance: cfg.Bool("singleinstancestore"),
		InitialFlags:   cfg.List("mailbox_initial_flags"),
		DefaultOptions: indexfile.Options(cfg.Int("mailbox_default_options")),
		LegacyDirs:     cfg.Bool("mailbox_legacy_dirs"),
		MaxMessages:    cfg.Int("mailbox_maxmessages_email"),
		KeepOpen:       defaultKeepOpen,
	}
	switch cfg.Enum("expunge_mode") {
	case "immediate":
		o.Expunge = ExpungeImmediate
	case "semidelayed":
		o.Expunge = ExpungeSemidelayed
	}
	if v := cfg.Int("index_version"); v > 0 && indexfile.Writable(uint32(v)) {
		o.IndexVersion = uint32(v)
	}
	for _, p := range cfg.Partitions() {
		o.Partitions[p.Name] = partitionFrom(cfg, p)
	}
	return o
}

const defaultKeepOpen = 256

func partitionFrom(cfg *config.Config, p config.Partition) Partition {
	q := Partition{Data: p.Data, Archive: p.Archive, Meta: make(map[string]string)}
	for _, kind := range kinds {
		root := p.MetaDir(kind)
		key := kind
		if kind == "annotations" {
			key = "index" // so in Cyrus
		}
		if s, ok := cfg.Extra("metadir-" + key + "-" + p.Name); ok && s != "" {
			root = s
		}
		if root != p.Data {
			q.Meta[kind] = root
		}
	}
	return q
}
