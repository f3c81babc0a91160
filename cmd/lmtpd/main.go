// Command lmtpd serves LMTP on the sockets that master hands it: mail comes in
// here.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/lmtpserver"
	"gocyrus/lib/service"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "lmtpd",
		Usage: "serve LMTP",
		Flags: service.Flags(lmtpserver.Flags()...),
		Action: func(c *cli.Context) error {
			return service.Run(c, "lmtp", lmtpserver.New)
		},
	}
}
