// Command master supervises a Cyrus server.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/master"
	"gocyrus/lib/version"
)

func main() {
	master.RunLimited()
	command.Main(app())
}

func app() *cli.App {
	return command.LenientFlags(&cli.App{
		Name:  "master",
		Usage: "supervise a Cyrus server",
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.StringFlag{Name: "M", Usage: "read `cyrus.conf` instead of /etc/cyrus.conf"},
			&cli.StringFlag{Name: "p", Usage: "write the process id to `pid-file`"},
			&cli.StringFlag{Name: "r", Usage: "make `ready-file` when the server is up"},
			&cli.IntFlag{Name: "l", Usage: "let `n` connections wait in a socket's queue", Value: 32},
			&cli.StringFlag{Name: "L", Usage: "append standard output and error to `file`"},
			&cli.IntFlag{Name: "j", Usage: "sweep the table of children `n` times a second", Value: 1},
			&cli.BoolFlag{Name: "d", Usage: "run in the background"},
			&cli.BoolFlag{Name: "D", Usage: "keep standard input, output and error, and log to the last"},
			&cli.BoolFlag{Name: "v", Usage: "log more; may be repeated"},
			&cli.BoolFlag{Name: "V", Usage: "print the version and exit"},
		},
		Action: action,
	})
}

func action(c *cli.Context) error {
	if c.Bool("V") {
		fmt.Fprintln(c.App.Writer, version.Product())
		return nil
	}
	code := master.Run(master.Options{
		Config:  c.String("C"),
		Conf:    c.String("M"),
		PidFile: c.String("p"),
		Ready:   c.String("r"),
		LogFile: c.String("L"),
		Backlog: c.Int("l"),
		Janitor: c.Int("j"),
		Verbose: c.Count("v") + verbosity(),
		Daemon:  c.Bool("d"),
		Debug:   c.Bool("D"),
	})
	if code == 0 {
		return nil
	}
	return cli.Exit("", code)
}

// verbosity is what CYRUS_VERBOSE adds: n is n+1 of -v.
func verbosity() int {
	text, ok := os.LookupEnv("CYRUS_VERBOSE")
	if !ok {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n + 1
}
