// Command imapd serves IMAP on the sockets that master hands it.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/imapserver"
	"gocyrus/lib/service"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "imapd",
		Usage: "serve IMAP",
		Flags: service.Flags(imapserver.Flags()...),
		Action: func(c *cli.Context) error {
			return service.Run(c, "imap", imapserver.New)
		},
	}
}
