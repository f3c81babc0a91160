// Command quota reports the usage of quota roots and adds it up anew. See
// man/man8/quota.8.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

func main() { command.Main(app()) }

func flag(name, long, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: []string{long}, Usage: usage}
}

func app() *cli.App {
	return &cli.App{
		Name:      "quota",
		Usage:     "report and correct the usage of quota roots",
		UsageText: "usage: quota [-C <alt_config>] [-d <domain>] [-f] [-q] [-J] [-n] [-u] [mailbox-spec]...\n",
		Flags: []cli.Flag{
			command.ConfigFlag,
			flag("J", "json", "report as JSON"),
			flag("Z", "test-sync-mode", "accepted for compatibility"),
			&cli.StringFlag{Name: "d", Aliases: []string{"domain"}, Usage: "roots of `domain` only"},
			flag("f", "fix", "add the usage up and correct it"),
			flag("n", "report-only", "with -f: correct nothing"),
			flag("q", "quiet", "with -f: no report, corrections only"),
			flag("u", "userids", "arguments are users"),
		},
		Action: action,
	}
}

func action(c *cli.Context) error {
	cfg, err := command.Setup(c, "quota")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	return errors.Join(run(c, s), s.Close())
}

func run(c *cli.Context, s *site.Site) error {
	sel := selection(c, s)
	if c.Bool("f") {
		if err := fix(c, s, sel); err != nil {
			return err
		}
		if c.Bool("q") {
			return nil
		}
	}
	names, err := repair.QuotaRoots(s, sel)
	if err != nil {
		return err
	}
	var roots []*quota.Root
	for _, n := range names {
		switch r, err := s.Quota.Get(n); {
		case err == nil:
			roots = append(roots, r)
		case !errors.Is(err, quota.ErrNotFound):
			return err
		}
	}
	if c.Bool("J") {
		return printJSON(c.App.Writer, s, roots)
	}
	return printTable(c.App.Writer, s, roots)
}

// fix adds the roots up. What could not be read is told of, and the rest done.
func fix(c *cli.Context, s *site.Site, sel repair.Selection) error {
	found, err := repair.FixQuota(context.Background(), s, sel, c.Bool("n"))
	for _, f := range found {
		fmt.Fprintln(c.App.ErrWriter, f.Text)
	}
	if err != nil {
		log.Err("%v", err)
		fmt.Fprintln(c.App.ErrWriter, err)
		return command.Status(command.ExSoftware)
	}
	return nil
}

// selection is what the arguments name: prefixes of internal names, or users.
func selection(c *cli.Context, s *site.Site) repair.Selection {
	var sel repair.Selection
	domain := ""
	if d := c.String("d"); d != "" {
		domain = d + "!"
		sel.Prefixes = []string{domain}
	}
	if c.NArg() == 0 {
		return sel
	}
	sel.Prefixes = nil
	if c.Bool("u") {
		users := make(map[string]bool)
		for _, u := range c.Args().Slice() {
			users[u] = true
			sel.Prefixes = append(sel.Prefixes, string(mboxname.Inbox(u)))
		}
		sel.Keep = func(n mboxname.Name) bool { return users[n.Owner()] }
		return sel
	}
	v := repair.AdminView(s)
	for _, arg := range c.Args().Slice() {
		n, err := v.Internal(arg)
		if err != nil {
			// No root begins so; Cyrus says nothing either.
			n = mboxname.Name(arg)
		}
		sel.Prefixes = append(sel.Prefixes, domain+string(n))
	}
	return sel
}
