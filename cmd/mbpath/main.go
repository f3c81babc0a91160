// Command mbpath prints where the files of mailboxes are. See man/man8/mbpath.8.
package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

func main() { command.Main(app()) }

func flag(usage, name string, long ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: long, Usage: usage}
}

func app() *cli.App {
	return &cli.App{
		Name:      "mbpath",
		Usage:     "print the file system paths of mailboxes",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			flag("names are in modified UTF-7, not UTF-8", "7", "no-utf8"),
			flag("the directory of archived messages", "A", "archive"),
			flag("the directory of messages; the default", "D", "data"),
			flag("the directory of metadata", "M", "metadata"),
			flag("the directory of Sieve scripts of the owner", "S", "sieve"),
			flag("the directory of the owner's files", "U", "user-files"),
			flag("all of them, each with its name in front", "a", "all"),
			flag("all of them as a JSON object", "j", "json"),
			flag("local mailboxes only", "l", "local-only"),
			flag("the same as -M", "m"),
			flag("arguments are directories", "p", "paths"),
			flag("print no error messages", "q", "quiet"),
			flag("stop at the first error", "s", "stop"),
			flag("arguments are users", "u", "userids"),
		},
		Action: action,
	}
}

const usageText = `usage: mbpath [-C <alt_config>] [-l] [-m] [-q] [-s] [-u|p] [-a|A|D|M|S|U] <mailbox name>...

	-j	print all values as a JSON object
	-a	print all values with prefixes
	-l	local only (exit with error for remote/nonexistent)
	-m	output the path to the metadata files (if different from the message files)
	-q	quietly drop any error messages
	-s	stop on error
	-7	mailbox arguments are in modified UTF7 rather than UTF8
	-u	arguments are user, not mailbox
	-p	arguments are UNIX path, not mailbox
	-A	partition archive directory
	-D	partition data directory (*default*)
	-M	partition metadata file directory (duplicate of -m)
	-S	sieve directory for the user
	-U	user files directory (seen, sub, etc)
`

// selectors are the flags of which there may be one.
var selectors = []string{"a", "A", "D", "M", "m", "S", "U"}

func action(c *cli.Context) error {
	sel := ""
	for _, f := range selectors {
		if !c.Bool(f) {
			continue
		}
		if sel != "" {
			return command.Usage("Duplicate selectors given")
		}
		sel = f
	}
	if c.Bool("u") && c.Bool("p") {
		return command.Usage("Multiple modes given")
	}
	if sel == "" {
		sel = "D"
	}
	cfg, err := command.Setup(c, "mbpath")
	if err != nil {
		return err
	}
	mboxname.DeletedPrefix = cfg.Str("deletedprefix")
	list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
	if err != nil {
		log.Err("DBERROR: opening %s: %v", mboxlist.OptionsFrom(cfg).Path, err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	return errors.Join(run(c, cfg, list, sel), list.Close())
}

// run prints the paths of each argument. The status is that of the last one, as
// in Cyrus.
func run(c *cli.Context, cfg *config.Config, list *mboxlist.List, sel string) error {
	p := newPrinter(c, cfg, list, sel)
	var last error
	for _, arg := range c.Args().Slice() {
		last = p.argument(arg)
		if last == nil {
			continue
		}
		if errors.Is(last, mboxlist.ErrNotFound) && !c.Bool("q") {
			fmt.Fprintf(c.App.ErrWriter, "Invalid mailbox name: '%s'%s\n", arg, p.also(arg))
		}
		if c.Bool("s") {
			text := "Error in processing mailbox. Stopping\n"
			if c.Bool("q") {
				text = ""
			}
			fmt.Fprintf(c.App.ErrWriter, "fatal error: %s\n", text)
			return command.Status(status(last))
		}
	}
	if last != nil {
		return command.Status(status(last))
	}
	return nil
}

func status(err error) int {
	if errors.Is(err, mboxlist.ErrNotFound) || errors.Is(err, errBadFormat) {
		return command.ExDataErr
	}
	return command.ExSoftware
}
