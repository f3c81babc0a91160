// Command reconstruct finds out what is wrong with mailboxes and mends it. See
// man/man8/reconstruct.8.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

func main() { command.Main(app()) }

func flag(name, long, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: []string{long}, Usage: usage}
}

func app() *cli.App {
	return &cli.App{
		Name:      "reconstruct",
		Usage:     "find and mend what is wrong with mailboxes",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			flag("G", "force-reparse", "read every message"),
			flag("I", "update-uniqueids", "give a mailbox with another one's unique id a new one"),
			flag("M", "prefer-mboxlist", "mailboxes.db is right where cyrus.header says otherwise"),
			flag("O", "delete-odd-files", "remove odd files"),
			flag("P", "header-paths", "arguments are paths of cyrus.header: make their entries in mailboxes.db"),
			flag("R", "guid-mismatch-keep", "give a file that is another message a new UID"),
			flag("U", "guid-mismatch-discard", "remove a file that is another message"),
			&cli.StringFlag{Name: "V", Aliases: []string{"set-version"}, Usage: "change the index to `version`, or \"max\""},
			flag("f", "scan-filesystem", "take in directories below that mailboxes.db does not have"),
			flag("n", "dry-run", "change nothing"),
			flag("o", "ignore-odd-files", "say nothing of odd files"),
			&cli.StringFlag{Name: "p", Aliases: []string{"partition"}, Usage: "take in the mailboxes named from `partition`"},
			flag("q", "quiet", "do not print the names of mailboxes"),
			flag("r", "recursive", "the mailboxes below too"),
			flag("s", "no-stat", "do not look at the sizes of message files"),
			flag("u", "userids", "arguments are users"),
			flag("x", "ignore-disk-metadata", "with -f and -p: new access list and unique id"),
			&cli.BoolFlag{Name: "d", Usage: "accepted for compatibility"},
			&cli.BoolFlag{Name: "g", Usage: "accepted for compatibility"},
			&cli.BoolFlag{Name: "k", Usage: "accepted for compatibility"},
			&cli.BoolFlag{Name: "m", Usage: "accepted for compatibility"},
		},
		Action: action,
	}
}

const usageText = `Usage: reconstruct [OPTIONS]
A tool to reconstruct mailboxes.

-C <config-file>   use <config-file> instead of config from imapd.conf
-p <partition>     use this indicated partition for search
-x                 do not import metadata, create new
-r                 recursively reconstruct
-f                 examine filesystem underneath the mailbox
-s                 don't stat underlying files
-q                 run quietly
-n                 do not make changes
-G                 force re-parsing (checks GUID correctness)
-I                 give a new unique id where two mailboxes have the same
-R                 perform UID upgrade operation on GUID mismatched files
-U                 use this if there are corrupt message files in spool
                   WARNING: this option deletes corrupted message files permanently
-o                 ignore odd files in mailbox disk directories
-O                 delete odd files (unlike -o)
-M                 prefer mailboxes.db over cyrus.header
-V <version>       Change the cyrus.index minor version to the version specified
-u                 give usernames instead of mailbox prefixes
-P                 give paths to cyrus.header files instead of mailbox prefixes
                   (this option ONLY repairs/creates mailboxes.db records)

`

func action(c *cli.Context) error {
	if c.Bool("u") && c.Bool("P") {
		return command.Usage("")
	}
	version, err := targetVersion(c.String("V"))
	if err != nil {
		return err
	}
	if c.NArg() == 0 && c.IsSet("p") {
		fmt.Fprint(c.App.ErrWriter, "When using -p, you must specify a mailbox to attempt to reconstruct.")
		return command.Status(command.ExUsage)
	}
	if c.NArg() == 0 && (c.Bool("r") || c.Bool("u")) {
		fmt.Fprintln(c.App.ErrWriter, "please specify a mailbox to recurse from")
		return command.Status(command.ExUsage)
	}
	cfg, err := command.Setup(c, "reconstruct")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	r := &run{c: c, ctx: context.Background(), site: s, version: version, opt: options(c), seen: make(map[string]bool)}
	return errors.Join(r.all(), s.Close())
}

func options(c *cli.Context) repair.Options {
	return repair.Options{
		DryRun: c.Bool("n"), Reparse: c.Bool("G"), NoStat: c.Bool("s"),
		IgnoreOdd: c.Bool("o"), RemoveOdd: c.Bool("O"),
		KeepMismatch: c.Bool("R"), DiscardMismatch: c.Bool("U"),
		PreferList: c.Bool("M"), NewIDs: c.Bool("I"),
	}
}

// targetVersion reads -V; 0 is that it was not given.
func targetVersion(text string) (uint32, error) {
	switch {
	case text == "":
		return 0, nil
	case strings.EqualFold(text, "max"):
		return indexfile.MaxWrite, nil
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || !indexfile.Writable(uint32(v)) {
		return 0, command.Fatal(command.ExSoftware, errors.New("index version not supported"))
	}
	return uint32(v), nil
}
