// Command cyr_dbtool looks into a database and changes it. See
// man/man8/cyr_dbtool.8.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/log"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "cyr_dbtool",
		Usage:     "look into a database and change it",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "M", Usage: "accepted and ignored"},
			&cli.BoolFlag{Name: "N", Aliases: []string{"no-checksum"}, Usage: "accepted and ignored"},
			&cli.BoolFlag{Name: "R", Aliases: []string{"readonly"}, Usage: "open read-only"},
			&cli.BoolFlag{Name: "S", Aliases: []string{"no-sync"}, Usage: "accepted and ignored"},
			&cli.BoolFlag{Name: "T", Aliases: []string{"use-transaction"}, Usage: "use one transaction for the action"},
			&cli.BoolFlag{Name: "b", Aliases: []string{"base64"}, Usage: "keys and values are in base64"},
			&cli.BoolFlag{Name: "c", Aliases: []string{"convert"}, Usage: "convert the database to the backend first"},
			&cli.BoolFlag{Name: "n", Aliases: []string{"create"}, Usage: "create the database if it is not there"},
			&cli.BoolFlag{Name: "t", Aliases: []string{"no-transaction"}, Usage: "use no transaction for the action; the default"},
		},
		Action: run,
	}, 255)
}

var usageText = `Usage: cyr_dbtool [-C altconfig] <db file> <db backend> <action> [<key>] [<value>]
Usable Backends: ` + strings.Join(cyrusdb.Kinds(), ", ") + `

Options:
  -c     convert database to named backend if not already
  -n     create the database if it doesn't exist
  -R     open the database readonly (won't create a new DB)
  -T     use a single transaction for the action
  -t     don't use a transaction (default)

Actions:
* show [<prefix>]
* get <key>
* set <key> <value>
* delete <key>
* dump - internal format dump
* consistent - check consistency (if supported)
* repack - repack/checkpoint the DB (if supported)
* damage - start a commit then die during
* batch - read from stdin and execute commands
You may omit key or key/value and specify one per line on stdin
keys are terminated by tab or newline, values are terminated by newline
`

const relative = `
Sorry, you cannot use this tool with relative path names.
This is because some database backends do not
always do what you would expect with them.

Please use absolute pathnames instead.

`

func run(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) < 3 {
		return command.Usage("")
	}
	path, kind, action := args[0], args[1], args[2]
	if !strings.HasPrefix(path, "/") {
		fmt.Fprint(c.App.Writer, relative)
		return command.Status(command.ExOSErr)
	}
	if _, err := command.Setup(c, "cyr_dbtool"); err != nil {
		return err
	}
	if !cyrusdb.Known(kind) && kind != "sql" && kind != "zeroskip" {
		return command.Fatal(command.ExConfig, fmt.Errorf("cyrusdb backend %s not supported", kind))
	}
	tool, err := open(c, path, kind)
	if err != nil {
		log.Err("DBERROR: opening %s: %v", path, err)
		return command.Fatal(command.ExTempFail, errors.New("can't open database"))
	}
	err = tool.Run(action, args[3:])
	if errors.Is(err, cyrusdb.ErrDamage) {
		return command.Status(1)
	}
	if err != nil {
		// Failures of single operations are told and end in 0 with Cyrus too.
		log.Err("DBERROR: %s %s: %v", action, path, err)
		fmt.Fprintf(c.App.ErrWriter, "cyr_dbtool: %v\n", err)
	}
	return tool.DB.Close()
}

func open(c *cli.Context, path, kind string) (*cyrusdb.Tool, error) {
	real, err := cyrusdb.Detect(path)
	if err != nil {
		return nil, err
	}
	if c.Bool("c") && real != "" && real != kind {
		if _, err := cyrusdb.Convert(path, path, kind); err != nil {
			return nil, err
		}
	}
	var flags = cyrusdb.ReadOnly
	if !c.Bool("R") {
		flags = 0
	}
	if c.Bool("n") && !c.Bool("R") {
		flags |= cyrusdb.Create
	}
	db, err := cyrusdb.Open(kind, path, flags)
	if err != nil {
		return nil, err
	}
	return &cyrusdb.Tool{
		DB: db, In: bufio.NewReader(os.Stdin), Out: c.App.Writer, Err: c.App.ErrWriter,
		Base64: c.Bool("b"), OneTx: c.Bool("T") && !c.Bool("t"),
	}, nil
}
