// Command ctl_mboxlist prints, loads and checks the list of mailboxes. See
// man/man8/ctl_mboxlist.8.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/service"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "ctl_mboxlist",
		Usage:     "print, load and check the list of mailboxes",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "L", Aliases: []string{"legacy"}, Usage: "with -u: the dump is of Cyrus 3.4 or before"},
			&cli.BoolFlag{Name: "a", Aliases: []string{"authoritative"}, Usage: "with -m: the local list is right"},
			&cli.BoolFlag{Name: "d", Aliases: []string{"dump"}, Usage: "print the list"},
			&cli.StringFlag{Name: "f", Aliases: []string{"filename"}, Usage: "the `database` to use"},
			&cli.BoolFlag{Name: "i", Aliases: []string{"interactive"}, Usage: "with -m: ask before local deletes"},
			&cli.BoolFlag{Name: "m", Aliases: []string{"sync-mupdate"}, Usage: "populate the MUPDATE master"},
			&cli.StringFlag{Name: "p", Aliases: []string{"partition"}, Usage: "with -d: only this `partition`"},
			&cli.BoolFlag{Name: "u", Aliases: []string{"undump"}, Usage: "load a dump from standard input"},
			&cli.BoolFlag{Name: "v", Aliases: []string{"verify"}, Usage: "compare the list with the directories"},
			&cli.BoolFlag{Name: "w", Aliases: []string{"warn-only"}, Usage: "with -m: print only"},
			&cli.BoolFlag{Name: "x", Aliases: []string{"remove-dumped"}, Usage: "with -d: remove what was printed"},
			&cli.BoolFlag{Name: "y", Aliases: []string{"include-intermediaries"}, Usage: "with -d: intermediate records too"},
		},
		Action: run,
	}, 1)
}

const usageText = `DUMP:
  ctl_mboxlist [-C <alt_config>] -d [-x] [-y] [-p partition] [-f filename]
UNDUMP:
  ctl_mboxlist [-C <alt_config>] -u [-f filename] [-L]    [< mboxlist.dump]
MUPDATE populate:
  ctl_mboxlist [-C <alt_config>] -m [-a] [-w] [-i] [-f filename]
VERIFY:
  ctl_mboxlist [-C <alt_config>] -v [-f filename]
`

// operations are the flags of which there must be one, those that go with each
// alone, and what each does with the list, which it closes.
var operations = []struct {
	flag string
	with []string
	do   func(*cli.Context, *config.Config, *mboxlist.List) error
}{
	{"d", []string{"x", "y", "p"}, dump},
	{"u", []string{"L"}, undump},
	{"m", []string{"a", "w"}, populate},
	{"v", nil, verify},
}

func run(c *cli.Context) error {
	var do func(*cli.Context, *config.Config, *mboxlist.List) error
	for _, op := range operations {
		if c.Bool(op.flag) {
			if do != nil {
				return command.Usage("")
			}
			do = op.do
			continue
		}
		for _, f := range op.with {
			if c.IsSet(f) {
				return command.Usage("")
			}
		}
	}
	if do == nil {
		return command.Usage("")
	}
	cfg, err := command.Setup(c, "ctl_mboxlist")
	if err != nil {
		return err
	}
	if c.Bool("m") && cfg.Str("mupdate_server") == "" {
		return command.Fatal(command.ExUnavailable, errors.New("couldn't get mupdate server name"))
	}
	if c.Bool("m") {
		if err := service.CheckMurder(cfg); err != nil {
			return command.Fatal(command.ExConfig, err)
		}
	}
	l, err := open(c, cfg)
	if err != nil {
		log.Err("DBERROR: opening %s: %v", mboxlist.OptionsFrom(cfg).Path, err)
		return command.Fatal(command.ExTempFail, fmt.Errorf("can't read mailboxes file: %w", err))
	}
	return do(c, cfg, l)
}

// open opens the list of the site, or the file of -f in the format it has.
func open(c *cli.Context, cfg *config.Config) (*mboxlist.List, error) {
	o := mboxlist.OptionsFrom(cfg)
	if !c.IsSet("f") {
		return mboxlist.Open(o)
	}
	db, err := cyrusdb.Open("leveldb", c.String("f"), cyrusdb.Create)
	if err != nil {
		return nil, err
	}
	return mboxlist.New(db, o), nil
}

func dump(c *cli.Context, _ *config.Config, l *mboxlist.List) error {
	return errors.Join(l.Dump(c.App.Writer, mboxlist.DumpOptions{
		Partition: c.String("p"), Intermediaries: c.Bool("y"), Remove: c.Bool("x"),
	}), l.Close())
}

func undump(c *cli.Context, _ *config.Config, l *mboxlist.List) error {
	complain := func(text string) { fmt.Fprintln(c.App.ErrWriter, text) }
	if c.Bool("L") {
		return errors.Join(l.UndumpLegacy(os.Stdin, complain), l.Close())
	}
	if err := l.Undump(os.Stdin, complain); err != nil {
		// The status stays 0, as with the C tool.
		fmt.Fprintf(c.App.ErrWriter, "parse error: %v\n", err)
	}
	return l.Close()
}

func verify(c *cli.Context, cfg *config.Config, l *mboxlist.List) error {
	return errors.Join(l.Verify(c.App.Writer, mboxname.LayoutFrom(cfg), cfg.Partitions()), l.Close())
}
