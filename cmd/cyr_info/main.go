// Command cyr_info prints the configuration, the running sessions and the
// version. See man/man8/cyr_info.8.
package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/masterconf"
	"gocyrus/lib/proc"
	"gocyrus/lib/version"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "cyr_info",
		Usage:     "print the configuration, the running sessions and the version",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.StringFlag{Name: "M", Usage: "read `cyrus.conf` instead of /etc/cyrus.conf"},
			&cli.StringFlag{Name: "n", Aliases: []string{"service"}, Usage: "show what `service` sees"},
			&cli.StringFlag{Name: "s", Aliases: []string{"since"}, Usage: "mark options changed after `version`"},
		},
		Action: run,
	}, 255)
}

const usageText = `cyr_info [-C <altconfig>] [-M <cyrus.conf>] [-n servicename] [-s oldversion] command

-n shows the configuration as that service sees it, for example imap.
-s marks the options that are new or changed since that version.

The command is one of:

  * conf          - options that differ from their default
  * conf-all      - all options
  * conf-default  - the default of all options
  * conf-lint     - keys that are not known
  * proc          - running sessions
  * version       - the version
`

func run(c *cli.Context) error {
	since, err := sinceFlag(c)
	if err != nil || c.NArg() == 0 {
		return command.Usage("")
	}
	if c.Args().First() == "version" {
		fmt.Fprintln(c.App.Writer, version.Product())
		return nil
	}
	service := "cyr_info"
	if c.IsSet("n") {
		service = c.String("n")
	}
	cfg, err := command.Setup(c, service)
	if err != nil {
		return err
	}
	switch c.Args().First() {
	case "conf":
		return cfg.Print(c.App.Writer, true, since)
	case "conf-all":
		return cfg.Print(c.App.Writer, false, since)
	case "conf-default":
		return config.PrintDefaults(c.App.Writer, since)
	case "conf-lint":
		return lint(c, cfg)
	case "proc":
		return sessions(c, cfg)
	}
	return command.Usage("")
}

func sinceFlag(c *cli.Context) (*config.Release, error) {
	if !c.IsSet("s") {
		return nil, nil
	}
	r, err := config.ParseRelease(c.String("s"))
	return &r, err
}

// lint prints the keys nobody knows. The prefixes that services may use are the
// names of the entries in SERVICES.
func lint(c *cli.Context, cfg *config.Config) error {
	file, err := masterconf.Load(c.String("M"))
	if err != nil {
		return err
	}
	if err := file.Errs[masterconf.Services]; err != nil {
		return err
	}
	var services []string
	for _, e := range file.Services {
		services = append(services, e.Name)
	}
	for _, line := range cfg.Lint(services) {
		fmt.Fprintln(c.App.Writer, line)
	}
	return nil
}

func sessions(c *cli.Context, cfg *config.Config) error {
	dir := cfg.Str("proc_path")
	if dir == "" {
		dir = filepath.Join(cfg.Dir(), "proc")
	}
	list, err := proc.List(dir)
	if err != nil {
		return command.Fatal(command.ExIOErr, err)
	}
	for _, in := range list {
		fmt.Fprintln(c.App.Writer, in.PID, in.Service, in.Client, in.User, in.Mailbox, in.Command)
	}
	return nil
}
