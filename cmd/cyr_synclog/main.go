// Command cyr_synclog adds an entry to the replication logs. See
// man/man8/cyr_synclog.8.
package main

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
)

func main() { command.Main(app()) }

// types are the flags, what they are for, and the entry each makes.
var types = []struct {
	letter, long, usage string
	line                func(args []string) synclog.Line
}{
	{"M", "unmailbox", "UNMAILBOX: a mailbox was removed", name(synclog.Unmailbox)},
	{"U", "unuser", "UNUSER: a user was removed", user(synclog.Unuser)},
	{"a", "append", "the value as it is", raw},
	{"b", "subscription", "SUB: a subscription of a user, then a mailbox", subscription},
	{"c", "acl", "the value as it is", raw},
	{"m", "mailbox", "MAILBOX: a mailbox changed", name(synclog.Mailbox)},
	{"n", "annotation", "ANNOTATION: annotations of a mailbox changed", name(synclog.Annotation)},
	{"q", "quota", "QUOTA: limits of a quota root changed", name(synclog.Quota)},
	{"s", "seen", "SEEN: what a user has seen of a mailbox, by its unique id", seen},
	{"u", "user", "USER: anything of a user changed", user(synclog.User)},
	{"v", "sieve", "META: scripts, subscriptions or seen state of a user changed", user(synclog.Meta)},
}

func name(f func(mboxname.Name) synclog.Line) func([]string) synclog.Line {
	return func(args []string) synclog.Line { return f(mboxname.Name(args[0])) }
}

func user(f func(string) synclog.Line) func([]string) synclog.Line {
	return func(args []string) synclog.Line { return f(args[0]) }
}

func raw(args []string) synclog.Line { return synclog.Raw(args[0]) }

func seen(args []string) synclog.Line { return synclog.Seen(args[0], args[1]) }

func subscription(args []string) synclog.Line { return synclog.Sub(args[0], mboxname.Name(args[1])) }

func app() *cli.App {
	flags := []cli.Flag{command.ConfigFlag}
	for _, t := range types {
		flags = append(flags, &cli.BoolFlag{Name: t.letter, Aliases: []string{t.long}, Usage: t.usage})
	}
	return command.UsageCode(&cli.App{
		Name:      "cyr_synclog",
		Usage:     "add an entry to the replication logs",
		UsageText: usageText,
		Flags:     flags,
		Action:    run,
	}, 255)
}

const usageText = `Usage: cyr_synclog [-C altconfig] [-{type}] value


types:
  -u   USER
  -U   UNUSER
  -v   SIEVE
  -m   MAILBOX
  -M   UNMAILBOX
  -q   QUOTA
  -n   ANNOTATION
  -s   SEEN
  -b   SUBSCRIPTION

You may omit the type flag and just specify a complete log line
`

func run(c *cli.Context) error {
	line, need := raw, 1
	for _, t := range types {
		if c.Bool(t.letter) {
			line = t.line
			if t.letter == "s" || t.letter == "b" {
				need = 2
			}
		}
	}
	args := c.Args().Slice()
	if len(args) < need || args[0] == "" || args[need-1] == "" {
		return command.Usage("")
	}
	cfg, err := command.Setup(c, "cyr_synclog")
	if err != nil {
		return err
	}
	if strings.ContainsAny(strings.Join(args[:need], ""), "\r\n") {
		return command.Fatal(command.ExIOErr, errors.New("Illegal line break in folder name")) //lint:ignore ST1005 Cyrus's words
	}
	l := synclog.New(synclog.OptionsFrom(cfg))
	l.Write(line(args))
	return l.Close()
}
