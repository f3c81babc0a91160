package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/syncclient"
	"gocyrus/lib/synclog"
)

// status prints the state of the channel that -n names, or of all.
func status(c *cli.Context, cfg *config.Config) error {
	o := synclog.OptionsFrom(cfg)
	channels := o.Channels
	if c.IsSet("n") {
		channels = []string{strings.Trim(c.String("n"), `"`)}
	}
	all := []syncclient.Status{}
	for _, ch := range channels {
		s, err := syncclient.StatusOf(o, ch)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	ok, err := syncclient.WriteStatus(c.App.Writer, c.String("status"), all)
	if !ok {
		return command.Usage("--status is text, json or prometheus")
	}
	return err
}
