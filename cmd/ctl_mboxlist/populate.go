package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/site"
)

// populate makes the mupdate master and the list of a backend agree.
func populate(c *cli.Context, cfg *config.Config, l *mboxlist.List) error {
	s, err := site.OpenList(cfg, l)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	return errors.Join(push(c, s.Ops), s.Close())
}

func push(c *cli.Context, ops *mboxops.Ops) error {
	p := mboxops.PushOptions{
		Authoritative: c.Bool("a"),
		Complain:      func(text string) { fmt.Fprintln(c.App.ErrWriter, text) },
	}
	if c.Bool("w") {
		p.Found = func(text string) { fmt.Fprintln(c.App.Writer, text) }
	}
	if c.Bool("i") {
		p.Confirm = func(n int) bool {
			fmt.Fprintf(c.App.ErrWriter, "OK to delete %d local mailboxes? ", n)
			return yes(os.Stdin)
		}
	}
	err := ops.Push(context.Background(), p)
	if errors.Is(err, mboxops.ErrNoMaster) && !c.Bool("w") {
		// The daemons that start next do what they can of it when the master is back.
		if err := ops.OweAll(); err != nil {
			log.Err("IOERROR: %v", err)
		}
	}
	return ending(c, err)
}

// ending makes an exit status of what a push ended with.
func ending(c *cli.Context, err error) error {
	var failed *mboxops.PushError
	switch {
	case errors.Is(err, mboxops.ErrNoMurder):
		return command.Fatal(command.ExConfig, errors.New("proxyservers is not set: this is a frontend, which has nothing to announce"))
	case errors.Is(err, mboxops.ErrCancelled):
		fmt.Fprintln(c.App.ErrWriter, "Cancelled!")
		return command.Status(1)
	case errors.As(err, &failed):
		log.Err("%s: %v", failed.Text, failed.Err)
		fmt.Fprintln(c.App.ErrWriter, failed.Text)
		return command.Status(1)
	case errors.Is(err, mboxops.ErrNoMaster):
		// In the middle. Cyrus complains of the mailbox that the master was lost at
		// and ends as if nothing had been.
		log.Err("%v", err)
		return nil
	}
	return err
}

// yes reads a line and says whether it is "y", in either case.
func yes(r io.Reader) bool {
	line, err := bufio.NewReader(io.LimitReader(r, 1024)).ReadString('\n')
	return (err == nil || err == io.EOF) && (line == "y\n" || line == "Y\n" || line == "y" || line == "Y")
}
