// Package site opens the stores of one installation, all that its
// configuration names, once for a process.
//
// Every daemon and tool comes by its stores here, so that there is one place
// that knows which option names the engine and the path of which database, and
// which sinks hear of changes.
package site

import (
	"context"
	"errors"
	"path/filepath"

	"gocyrus/lib/annotate"
	"gocyrus/lib/change"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/quotalegacy"
	"gocyrus/lib/idle"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/partlist"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/subs"
	"gocyrus/lib/synclog"
)

// Site is the stores of an installation. All are safe for concurrent use.
type Site struct {
	Config      *config.Config
	Namespace   *mboxname.Namespace
	Layout      *mboxname.Layout
	Partitions  *partlist.List
	List        *mboxlist.List
	Mailboxes   *mailbox.Store
	Quota       *quota.DB
	Subs        *subs.Store
	Seen        *seen.Store
	Annotations *annotate.DB
	Ops         *mboxops.Ops
	Murder      *mboxops.Murder // nil unless this is a backend of one
	Idle        *idle.Hub
	Sync        *synclog.Log // hears of every change; whoever serves as a replica suppresses it

	sinks []change.Sink
}

// Open opens the stores. The configuration must name a partition.
func Open(cfg *config.Config) (*Site, error) {
	if err := cfg.RequirePartitions(); err != nil {
		return nil, err
	}
	list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
	if err != nil {
		return nil, err
	}
	return OpenList(cfg, list)
}

// OpenList is Open with a list of mailboxes that need not be the site's own. The site
// closes it, also when there is an error.
func OpenList(cfg *config.Config, list *mboxlist.List) (*Site, error) {
	mboxname.DeletedPrefix = cfg.Str("deletedprefix")
	s := &Site{
		Config:     cfg,
		Namespace:  mboxname.NamespaceFrom(cfg),
		Layout:     mboxname.LayoutFrom(cfg),
		List:       list,
		Partitions: partlist.New(partlist.OptionsFrom(cfg)),
		Idle:       idle.New(idle.OptionsFrom(cfg)),
		Sync:       synclog.New(synclog.OptionsFrom(cfg)),
		Murder:     mboxops.NewMurder(mboxops.MurderOptionsFrom(cfg)),
	}
	s.Subs = subs.New(s.Layout, opener(cfg.Str("subscription_db")))
	s.Seen = seen.New(s.Layout, opener(cfg.Str("seenstate_db")))
	if err := s.openShared(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Sync.SetNames(s.nameOf)
	s.Subs.SetJournal(s.Sync)
	s.Seen.SetJournal(s.Sync)
	s.Quota.SetJournal(s.Sync)
	s.Annotations.SetJournal(s.Sync)
	s.sinks = []change.Sink{change.Func(func(c *change.Commit) { s.Idle.Notify(c.UniqueID) }), s.Sync}
	s.Mailboxes = mailbox.NewStore(mailbox.OptionsFrom(cfg), s.List, s.Quota, s.sinks...)
	s.Ops = mboxops.New(mboxops.OptionsFrom(cfg), mboxops.Stores{
		List: s.List, Mailboxes: s.Mailboxes, Quota: s.Quota, Subs: s.Subs, Seen: s.Seen,
		Annotations: s.Annotations, Partitions: s.Partitions, Layout: s.Layout, Journal: s.Sync, Murder: s.Murder,
	}, s.sinks...)
	if err := s.Mailboxes.Recover(context.Background()); err != nil {
		// The notes stay, and whoever comes next tries again.
		log.Err("IOERROR: changes that were interrupted: %v", err)
	}
	if err := s.Sync.Recover(s.recent); err != nil {
		log.Err("IOERROR: sync_log(): changes that were interrupted: %v", err)
	}
	if err := s.Ops.RecoverMurder(); err != nil {
		log.Err("IOERROR: MUPDATE: changes that were interrupted: %v", err)
	}
	return s, nil
}

// openShared opens the databases that all users share.
func (s *Site) openShared(cfg *config.Config) error {
	quotas, err := openQuota(cfg)
	if err != nil {
		return err
	}
	s.Quota = quota.NewDB(quotas)
	annotations, err := cyrusdb.Open(cfg.Str("annotation_db"), path(cfg, "annotation_db_path", "annotations.db"), kv.Create)
	if err != nil {
		return err
	}
	s.Annotations = annotate.NewDB(annotations)
	return nil
}

func openQuota(cfg *config.Config) (kv.DB, error) {
	kind := cfg.Str("quota_db")
	if kind == "quotalegacy" {
		// Not one file but a tree below configdirectory.
		return quotalegacy.New(cfg.Dir(), cfg.Bool("fulldirhash"), kv.Create), nil
	}
	return cyrusdb.Open(kind, path(cfg, "quota_db_path", "quotas.db"), kv.Create)
}

// path is where an option puts a database, or its place in configdirectory.
func path(cfg *config.Config, option, name string) string {
	if p := cfg.Str(option); p != "" {
		return p
	}
	return filepath.Join(cfg.Dir(), name)
}

func opener(kind string) func(string, kv.Flags) (kv.DB, error) {
	return func(path string, flags kv.Flags) (kv.DB, error) { return cyrusdb.Open(kind, path, flags) }
}

// Tell tells the sinks of a change of a mailbox, or of its entry, that was made past
// the stores, as reconstruct makes them.
func (s *Site) Tell(e *mboxlist.Entry) {
	for _, sink := range s.sinks {
		sink.Committed(&change.Commit{Name: e.Name, UniqueID: e.UniqueID, UIDValidity: e.UIDValidity, Header: true})
	}
}

// Close gives up what is open. What was acknowledged is durable without.
func (s *Site) Close() error {
	told := s.Murder.Close() // before what it may be at work on
	if s.Mailboxes != nil {
		s.Mailboxes.Close()
	}
	s.Idle.Close()
	errs := []error{told, s.Sync.Close()}
	if s.Annotations != nil {
		errs = append(errs, s.Annotations.Close())
	}
	if s.Quota != nil {
		errs = append(errs, s.Quota.Close())
	}
	if s.List != nil {
		errs = append(errs, s.List.Close())
	}
	return errors.Join(errs...)
}
