// Command mupdate serves MUPDATE on the sockets that master hands it: the list of
// all mailboxes of a Murder, as its master or as a frontend's slave.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/mupdateserver"
	"gocyrus/lib/service"
)

func main() { command.Main(app()) }

// found makes the list in etcd, as a tool.
func found(c *cli.Context) error {
	cfg, err := command.Setup(c, "mupdate")
	if err != nil {
		return err
	}
	return mupdateserver.Found(cfg, c)
}

func app() *cli.App {
	return &cli.App{
		Name:  "mupdate",
		Usage: "serve MUPDATE",
		Flags: service.Flags(mupdateserver.Flags()...),
		Action: func(c *cli.Context) error {
			if mupdateserver.Founds(c) {
				return found(c)
			}
			// A slave has mostly no clients, and its work is to follow the master.
			if !c.IsSet("T") {
				if err := c.Set("T", "0"); err != nil {
					return err
				}
			}
			return service.Run(c, "mupdate", mupdateserver.New)
		},
	}
}
