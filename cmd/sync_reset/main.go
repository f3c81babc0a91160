// Command sync_reset removes users from this server, with all that is kept for
// them. See man/man8/sync_reset.8.
package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/change"
	"gocyrus/lib/command"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/site"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "sync_reset",
		Usage:     "remove users at once",
		UsageText: "usage: sync_reset [-C <alt_config>] [-v] [-f] user...\n",
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "L", Aliases: []string{"local-only"}, Usage: "tell no other server"},
			&cli.BoolFlag{Name: "f", Aliases: []string{"force"}, Usage: "really"},
			&cli.BoolFlag{Name: "v", Aliases: []string{"verbose"}, Usage: "name each user"},
		},
		Action: action,
	}
}

func action(c *cli.Context) error {
	cfg, err := command.Setup(c, "sync_reset")
	if err != nil {
		return err
	}
	if !c.Bool("f") {
		fmt.Fprint(c.App.ErrWriter, "Usage: sync_reset -f user user user ...\n         -f [force] is obligatory for safety\n")
		return nil
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	ops := s.Ops
	if c.Bool("L") {
		ops = ops.Local()
	}
	for _, user := range c.Args().Slice() {
		if c.Bool("v") {
			fmt.Fprintf(c.App.Writer, "resetting %s\n", user)
		}
		if err := reset(context.Background(), s, ops, user); err != nil {
			// The rest is left, and the status is that of success, as in Cyrus: a
			// list of users is fed in again when the cause is gone.
			log.Err("sync_reset %s: %v", user, err)
			fmt.Fprintln(c.App.ErrWriter, "Bailing out!")
			break
		}
	}
	return s.Close()
}

// reset removes one user. One whose mailboxes are all deleted with delay is one
// still.
func reset(ctx context.Context, s *site.Site, ops *mboxops.Ops, user string) error {
	if _, err := s.List.Lookup(mboxname.Inbox(user)); err != nil {
		return err
	}
	done := change.Begin(s.Ops.Journal, change.Event{Kind: change.UserRemoved, User: user})
	defer done()
	return ops.DeleteUser(ctx, user, mboxops.UserRemoval{Deleted: true, Forget: true})
}
