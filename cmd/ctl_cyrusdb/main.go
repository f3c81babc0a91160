// Command ctl_cyrusdb mends the databases of a site when it starts, and backs
// them up while it runs. See man/man8/ctl_cyrusdb.8.
package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/site"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "ctl_cyrusdb",
		Usage:     "mend and back up the databases",
		UsageText: "ctl_cyrusdb [-C <altconfig>] -c\nctl_cyrusdb [-C <altconfig>] -r [-x]\n",
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "c", Aliases: []string{"checkpoint"}, Usage: "copy the databases to db.backup1"},
			&cli.BoolFlag{Name: "r", Aliases: []string{"recover"}, Usage: "mend and convert the databases"},
			&cli.BoolFlag{Name: "x", Aliases: []string{"no-cleanup"}, Usage: "with -r: do not clean mailboxes.db up"},
		},
		Action: run,
	}, 255)
}

func run(c *cli.Context) error {
	recovering := c.Bool("r")
	if recovering == c.Bool("c") || c.Bool("x") && !recovering {
		return command.Usage("")
	}
	cfg, err := command.Setup(c, "ctl_cyrusdb")
	if err != nil {
		return err
	}
	if recovering {
		return during("recovering cyrus databases", func() error { return recoverAll(cfg, !c.Bool("x")) })
	}
	return during("checkpointing cyrus databases", func() error { return checkpoint(c, cfg) })
}

// during logs the beginning and the end of what fn does.
func during(what string, fn func() error) error {
	log.Notice("%s", what)
	err := fn()
	log.Notice("done %s", what)
	return err
}

// sites are the databases that belong to the whole site. mailboxes.db is
// LevelDB whatever mboxlist_db says.
func sites(cfg *config.Config) []cyrusdb.Site {
	at := func(pathOption, name string) string {
		if p := cfg.Str(pathOption); p != "" {
			return p
		}
		return filepath.Join(cfg.Dir(), name)
	}
	return []cyrusdb.Site{
		{Path: at("mboxlist_db_path", "mailboxes.db"), Kind: "leveldb", Archive: true},
		{Path: at("quota_db_path", "quotas.db"), Kind: cfg.Enum("quota_db"), Archive: true},
		{Path: at("annotation_db_path", "annotations.db"), Kind: cfg.Enum("annotation_db"), Archive: true},
		{Path: at("duplicate_db_path", "deliver.db"), Kind: cfg.Enum("duplicate_db")},
		{Path: at("tls_sessions_db_path", "tls_sessions.db"), Kind: cfg.Enum("tls_sessions_db")},
		{Path: at("ptscache_db_path", "ptclient/ptscache.db"), Kind: cfg.Enum("ptscache_db")},
		{Path: at("statuscache_db_path", "statuscache.db"), Kind: cfg.Enum("statuscache_db")},
	}
}

// recoverAll goes through all databases even when one cannot be mended, and
// fails then: START must not go on with it.
func recoverAll(cfg *config.Config, cleanUp bool) error {
	var failed error
	for _, s := range sites(cfg) {
		if err := s.Recover(func(text string) { log.Notice("%s", text) }); err != nil {
			log.Err("DBERROR: recovering %s: %v", s.Path, err)
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil && cleanUp {
		failed = cleanUpList(cfg)
	}
	if failed == nil && len(cfg.Partitions()) > 0 {
		failed = finishInterrupted(cfg)
	}
	return command.Fatal(command.ExTempFail, failed)
}

func cleanUpList(cfg *config.Config) error {
	o := mboxlist.OptionsFrom(cfg)
	l, err := mboxlist.Open(o)
	if err != nil {
		return err
	}
	return errors.Join(l.Recover(o, func(text string) { log.Notice("%s", text) }), l.Close())
}

// finishInterrupted puts right what processes that were killed left between
// mailboxes and quota roots: whoever opens a site does.
func finishInterrupted(cfg *config.Config) error {
	s, err := site.Open(cfg)
	if err != nil {
		return err
	}
	return s.Close()
}

func checkpoint(c *cli.Context, cfg *config.Config) error {
	dir, err := cyrusdb.Rotate(filepath.Join(cfg.Dir(), "db"))
	if err != nil {
		log.Err("DBERROR: archive %s: %v", cfg.Dir(), err)
		fmt.Fprintln(c.App.ErrWriter, "ctl_cyrusdb: unable to archive environment")
		return command.Status(1)
	}
	var failed bool
	for _, s := range sites(cfg) {
		if !s.Archive {
			continue
		}
		if err := s.ArchiveTo(dir); err != nil {
			log.Err("DBERROR: archive %s: %v", s.Path, err)
			fmt.Fprintln(c.App.ErrWriter, "ctl_cyrusdb: unable to archive environment")
			failed = true
		}
	}
	if failed {
		return command.Status(1)
	}
	return nil
}
