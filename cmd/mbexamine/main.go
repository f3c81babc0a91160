// Command mbexamine prints what the files of a mailbox say. See
// man/man8/mbexamine.8.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "mbexamine",
		Usage:     "print what the files of a mailbox say",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "c", Aliases: []string{"check-message-files"}, Usage: "compare the records with the message files"},
			&cli.BoolFlag{Name: "q", Aliases: []string{"check-quota"}, Usage: "add the message files up"},
			&cli.StringFlag{Name: "s", Aliases: []string{"seq"}, Usage: "the message with sequence number `n` alone"},
			&cli.StringFlag{Name: "u", Aliases: []string{"uid"}, Usage: "the message with UID `n` alone"},
		},
		Action: action,
	}
}

const usageText = `usage: mbexamine [-C <alt_config>] [-s seqnum] mailbox...
       mbexamine [-C <alt_config>] [-u uid] mailbox...
       mbexamine [-C <alt_config>] -q mailbox...
       mbexamine [-C <alt_config>] -c mailbox...
`

func action(c *cli.Context) error {
	which, err := which(c)
	if err != nil {
		return err
	}
	cfg, err := command.Setup(c, "mbexamine")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	return errors.Join(run(c, s, which), s.Close())
}

// which reads -u and -s.
func which(c *cli.Context) (w repair.Which, err error) {
	if c.IsSet("u") && c.IsSet("s") {
		return w, command.Usage("")
	}
	if c.IsSet("u") {
		n, err := strconv.ParseUint(c.String("u"), 10, 32)
		if err != nil {
			return w, command.Usage("")
		}
		w.UID = uint32(n)
	}
	if c.IsSet("s") {
		if w.Seq, err = strconv.Atoi(c.String("s")); err != nil {
			return w, command.Usage("")
		}
	}
	return w, nil
}

func run(c *cli.Context, s *site.Site, which repair.Which) error {
	args := c.Args().Slice()
	if len(args) == 0 {
		args = []string{"*"}
	}
	ctx, w, done := context.Background(), c.App.Writer, 0
	for _, arg := range args {
		entries, err := repair.Find(s, arg)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := repair.External(s, e.Name)
			fmt.Fprintf(w, "Examining %s...", name)
			if err := examine(ctx, c, s, e, which); err != nil {
				log.Err("%s: %v", e.Name, err)
				fmt.Fprintf(c.App.ErrWriter, "%s: %v\n", name, err)
				continue
			}
			done++
		}
	}
	if done == 0 {
		fmt.Fprintln(c.App.ErrWriter, "No matching mailboxes found")
		return command.Status(command.ExNoUser)
	}
	return nil
}

func examine(ctx context.Context, c *cli.Context, s *site.Site, e *mboxlist.Entry, which repair.Which) error {
	switch {
	case c.Bool("c"):
		return repair.ExamineFiles(ctx, s, e, c.App.Writer)
	case c.Bool("q"):
		return repair.ExamineQuota(ctx, s, e, c.App.Writer)
	}
	return repair.Examine(ctx, s, e, which, c.App.Writer)
}
