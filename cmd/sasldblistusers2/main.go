// Command sasldblistusers2 lists the users in our sasldb.
// See man/man8/sasldblistusers2.8.
package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/sasldb"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/version"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "sasldblistusers2",
		Usage:     "list the users with SASL passwords",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.StringFlag{Name: "f", Usage: "use the store `sasldb`"},
			&cli.BoolFlag{Name: "v", Usage: "print the version"},
			&cli.BoolFlag{Name: "h", Usage: "show usage"},
		},
		Action: run,
	}, 1)
}

const usageText = `sasldblistusers2: usage: sasldblistusers2 [-v] [[-f] sasldb]
	-f sasldb	use given file as sasldb
	-v	print version numbers and exit
	-C file	read file instead of imapd.conf
`

func run(c *cli.Context) error {
	if c.Bool("v") {
		_, err := fmt.Fprintf(c.App.Writer, "sasldblistusers2 of %s\n", version.String())
		return err
	}
	if c.Bool("h") || c.NArg() > 1 {
		return command.Usage("")
	}
	path, err := storePath(c)
	if err == nil {
		err = list(c, path)
	}
	if err != nil {
		fmt.Fprintf(c.App.ErrWriter, "sasldblistusers2: %v\nlistusers failed\n", err)
		return command.Status(1)
	}
	return nil
}

// storePath is -f, or the operand, or what imapd.conf says.
func storePath(c *cli.Context) (string, error) {
	if f := c.String("f"); f != "" {
		return f, nil
	}
	if f := c.Args().First(); f != "" {
		return f, nil
	}
	cfg, err := config.Load(c.String("C"), "sasldblistusers2")
	if err != nil {
		return "", err
	}
	o, err := saslserver.OptionsFrom(cfg, "sasldblistusers2")
	return o.SecretsPath, err
}

func list(c *cli.Context, path string) error {
	st, err := sasldb.Open(path, kv.ReadOnly)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.List(func(user, realm, property string) error {
		_, err := fmt.Fprintf(c.App.Writer, "%s@%s: %s\n", user, realm, property)
		return err
	})
}
