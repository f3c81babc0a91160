// Command cyr_drain moves everything that lives on this server of a Murder to other
// servers. See man/man8/cyr_drain.8.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/drain"
	"gocyrus/lib/log"
	"gocyrus/lib/proxy"
	"gocyrus/lib/site"
	"gocyrus/lib/xfer"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "cyr_drain",
		Usage:     "move everything that lives on a server of a Murder to other servers",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "a", Aliases: []string{"adopt"}, Usage: "make copies that arrived, whose server is gone, this server's"},
			&cli.BoolFlag{Name: "d", Aliases: []string{"discard"}, Usage: "remove such copies"},
			&cli.BoolFlag{Name: "f", Aliases: []string{"force"}, Usage: "with -a and -d: in spite of what speaks against it"},
			&cli.IntFlag{Name: "j", Aliases: []string{"jobs"}, Value: 1, Usage: "move `n` at once"},
			&cli.BoolFlag{Name: "l", Aliases: []string{"list-arriving"}, Usage: "say what is arriving from other servers"},
			&cli.BoolFlag{Name: "n", Aliases: []string{"dry-run"}, Usage: "say what would move, and where to"},
			&cli.StringFlag{Name: "p", Aliases: []string{"partition"}, Usage: "only what is on this `partition`"},
			&cli.StringSliceFlag{Name: "s", Aliases: []string{"server"}, Usage: "to this `server[!partition]`, in place of those of serverlist"},
			&cli.StringSliceFlag{Name: "u", Aliases: []string{"user"}, Usage: "only this `user`"},
		},
		Action: action,
	}
}

const usageText = `usage: cyr_drain [-C <alt_config>] [-n] [-j jobs] [-p partition] [-s server[!partition]]... [-u user]...
       cyr_drain [-C <alt_config>] -l
       cyr_drain [-C <alt_config>] -a | -d [-f] name...
`

// maxJobs bounds -j: each job holds connections here, there and to the mupdate master.
const maxJobs = 64

func action(c *cli.Context) error {
	arrivals, right := arrivalUsage(c)
	if jobs := c.Int("j"); !right || !arrivals && c.NArg() > 0 || jobs < 1 || jobs > maxJobs {
		return command.Usage("")
	}
	cfg, err := command.Setup(c, "cyr_drain")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	if s.Murder == nil {
		return errors.Join(command.Fatal(command.ExUnavailable, errors.New("this server is no backend of a murder")), s.Close())
	}
	m := xfer.New(s, xfer.OptionsFrom(cfg))
	if arrivals {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return errors.Join(arriving(ctx, c, s, m), m.Close(), s.Close())
	}
	if !c.Bool("n") {
		// What a drain that was killed has begun would else be nobody's to finish.
		if err := m.Recover(); err != nil {
			log.Err("IOERROR: %v", err)
		}
	}
	err = run(c, s, m, proxy.OptionsFrom(cfg))
	return errors.Join(err, m.Close(), s.Close())
}

// patience is how long the end waits for other servers to announce what they have.
const patience = 10 * time.Minute

func run(c *cli.Context, s *site.Site, m *xfer.Mover, opts *proxy.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	picker := drain.NewPicker(ctx, opts)
	defer picker.Close()
	o := drain.Options{
		Targets: targets(c.StringSlice("s"), opts, m.Is), Partition: c.String("p"),
		Jobs: c.Int("j"), DryRun: c.Bool("n"), Pick: picker.Pick,
	}
	if c.IsSet("u") {
		o.Users = c.StringSlice("u")
	}
	left, err := drain.Run(ctx, m, o, func(r drain.Result) { tell(c.App.Writer, &r, o.DryRun) })
	if errors.Is(err, drain.ErrNowhere) {
		return command.Fatal(command.ExUsage, err)
	}
	if err != nil {
		return err
	}
	var late int
	if !o.DryRun {
		if late, err = drain.Settle(ctx, s.List, patience); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(c.App.ErrWriter, "%d could not be moved\n", left)
	}
	if late > 0 {
		fmt.Fprintf(c.App.ErrWriter, "%d mailboxes are still to be announced: run cyr_drain again\n", late)
	}
	if left > 0 || late > 0 {
		return command.Status(1)
	}
	return nil
}

// targets are the servers of -s, or those of serverlist; this one is none.
func targets(named []string, opts *proxy.Options, self func(string) bool) (all []drain.Target) {
	if len(named) == 0 {
		named = opts.Servers
	}
	for _, name := range named {
		server, partition, _ := strings.Cut(name, "!")
		if !self(server) {
			all = append(all, drain.Target{Server: server, Partition: partition})
		}
	}
	return all
}

// tell prints a line about what became of a user or a mailbox.
func tell(w io.Writer, r *drain.Result, dry bool) {
	switch {
	case r.Later():
		fmt.Fprintf(w, "%s: at %s, to be announced: %v\n", r.Item, r.Target, r.Err)
	case r.Err != nil && r.Target.Server == "":
		fmt.Fprintf(w, "%s: FAILED: %v\n", r.Item, r.Err)
	case r.Err != nil:
		fmt.Fprintf(w, "%s: FAILED, to %s: %v\n", r.Item, r.Target, r.Err)
	case dry:
		fmt.Fprintf(w, "%s: would move to %s\n", r.Item, r.Target)
	default:
		fmt.Fprintf(w, "%s: moved to %s\n", r.Item, r.Target)
	}
}
