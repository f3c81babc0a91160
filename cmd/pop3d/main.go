// Command pop3d serves POP3 on the sockets that master hands it.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/popserver"
	"gocyrus/lib/service"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "pop3d",
		Usage: "serve POP3",
		Flags: service.Flags(popserver.Flags()...),
		Action: func(c *cli.Context) error {
			return service.Run(c, "pop3", popserver.New)
		},
	}
}
