// Command sync_server takes what another server replicates, on the sockets that
// master hands it.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/service"
	"gocyrus/lib/syncserver"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "sync_server",
		Usage: "serve as a replica",
		Flags: service.Flags(syncserver.Flags()...),
		Action: func(c *cli.Context) error {
			return service.Run(c, "csync", syncserver.New)
		},
	}
}
