package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
)

func flag(name, long, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: []string{long}, Usage: usage}
}

func value(name, long, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Aliases: []string{long}, Usage: usage}
}

func number(name, long string, def int, usage string) cli.Flag {
	return &cli.IntFlag{Name: name, Aliases: []string{long}, Value: def, Usage: usage}
}

func flags() []cli.Flag {
	return []cli.Flag{
		command.ConfigFlag,
		flag("r", "rolling", "replicate what is logged, in the background"),
		flag("R", "foreground-rolling", "the same in the foreground"),
		flag("1", "rolling-once", "with -r or -R: one log, then exit"),
		flag("u", "userids", "replicate users"),
		flag("m", "mailboxes", "replicate mailboxes"),
		flag("s", "sieve-mode", "replicate users' seen state, subscriptions and scripts"),
		flag("A", "all-users", "replicate everything"),
		value("f", "input-file", "operands, or with -r or -R the log, from `file`"),
		value("F", "shutdown-file", "end when `file` appears"),
		value("n", "channel", "use the log and the options of `channel`"),
		value("S", "server", "replicate to `server`"),
		value("p", "dest-partition", "put mailboxes on `partition` of the replica"),
		number("d", "delay", 0, "a round takes at least `seconds`"),
		number("t", "timeout", 600, "connect anew after `seconds`"),
		number("w", "delayed-startup", 0, "sleep `seconds` first"),
		&cli.BoolFlag{Name: "v", Aliases: []string{"verbose"}, Count: new(int), Usage: "tell what is done; twice: show the protocol"},
		flag("l", "verbose-logging", "tell the log what is done"),
		flag("L", "local-only", "the replica tells no mupdate master"),
		flag("N", "skip-locked", "leave alone what another sync_client works on"),
		flag("o", "connect-once", "try to connect once only"),
		flag("O", "no-copyback", "change nothing here; the replica has to take what it is given"),
		flag("z", "require-compression", "fail when the connection is not compressed"),
		flag("a", "stage-to-archive", "have the replica stage on its archive partition"),
		&cli.StringFlag{Name: "status", Usage: "print how far replicas are behind, as `form`: text, json or prometheus"},
		&cli.BoolFlag{Name: "verify", Usage: "with -A, -u or -m: compare, and list what differs"},
		&cli.BoolFlag{Name: "repair", Usage: "with --verify: replicate what differs and compare again"},
	}
}

// mode is what is to be done.
type mode int

const (
	modeNone mode = iota
	modeRolling
	modeUsers
	modeMailboxes
	modeMeta
	modeAll
	modeStatus
)

// modeOf reads the mode. The error is one of usage.
func modeOf(c *cli.Context) (mode, error) {
	m := modeNone
	for _, f := range []struct {
		name string
		mode mode
	}{{"r", modeRolling}, {"R", modeRolling}, {"u", modeUsers}, {"m", modeMailboxes}, {"s", modeMeta}, {"A", modeAll}, {"status", modeStatus}} {
		if !c.IsSet(f.name) {
			continue
		}
		if m != modeNone {
			return m, command.Usage("Mutually exclusive options defined")
		}
		m = f.mode
	}
	switch {
	case m == modeNone:
		return m, command.Usage("No replication mode specified")
	case (c.Bool("verify") || c.Bool("repair")) && m != modeUsers && m != modeMailboxes && m != modeAll:
		return m, command.Usage("--verify goes with -A, -u or -m")
	case c.Bool("repair") && !c.Bool("verify"):
		return m, command.Usage("--repair goes with --verify")
	}
	return m, nil
}
