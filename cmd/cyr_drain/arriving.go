package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
	"gocyrus/lib/xfer"
)

// arrivalFlags are those of which one says that it is about what comes from other servers.
var arrivalFlags = []string{"l", "a", "d"}

// arrivalUsage says whether the command line is one about what comes, and a right one.
func arrivalUsage(c *cli.Context) (is, right bool) {
	n := 0
	for _, f := range arrivalFlags {
		if c.Bool(f) {
			n++
		}
	}
	if n == 0 {
		return false, !c.Bool("f")
	}
	others := slices.ContainsFunc([]string{"j", "n", "p", "s", "u"}, c.IsSet)
	return true, n == 1 && !others && c.Bool("l") == (c.NArg() == 0) && !(c.Bool("l") && c.Bool("f"))
}

// arriving lists what is frozen here on its way from another server, or settles it.
func arriving(ctx context.Context, c *cli.Context, s *site.Site, m *xfer.Mover) error {
	all, err := s.Ops.Arrivals(ctx)
	if err != nil {
		return command.Fatal(command.ExTempFail, err)
	}
	if c.Bool("l") {
		for _, a := range all {
			fmt.Fprintf(c.App.Writer, "%s: %s\n", a, describe(a))
		}
		return nil
	}
	settle, done := m.Adopt, "adopted"
	if c.Bool("d") {
		settle, done = m.Discard, "discarded"
	}
	failed := false
	for _, name := range c.Args().Slice() {
		err := errors.New("nothing of it is arriving here")
		if i := slices.IndexFunc(all, func(a *mboxops.Arrival) bool { return a.String() == name }); i >= 0 {
			err = settle(ctx, all[i], c.Bool("f"))
		}
		if failed = failed || err != nil; err != nil {
			fmt.Fprintf(c.App.Writer, "%s: FAILED: %v\n", name, err)
		} else {
			fmt.Fprintf(c.App.Writer, "%s: %s\n", name, done)
		}
	}
	if failed {
		return command.Status(1)
	}
	return nil
}

// describe says what there is of an arrival, since when, and what the murder has of it.
func describe(a *mboxops.Arrival) string {
	since := "an unknown time"
	if !a.Since.IsZero() {
		since = a.Since.Format(time.DateTime)
	}
	murder := "unknown to the murder"
	switch a.Murder.State {
	case mupdate.Reserved:
		murder = "reserved by " + a.Source()
	case mupdate.Active:
		murder = "in use at " + a.Source()
	}
	return fmt.Sprintf("%d mailboxes since %s, %s", len(a.Boxes), since, murder)
}
