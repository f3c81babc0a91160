// Command cyr_buildinfo prints what this build of the server has in it, as
// JSON. See man/man8/cyr_buildinfo.8.
package main

import (
	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/version"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "cyr_buildinfo",
		Usage:     "print what the server was built with",
		UsageText: usageText,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "C", Usage: "accepted and ignored"},
		},
		Action: run,
	}, 255)
}

const usageText = `cyr_buildinfo [-C <file>] [format]

The format is one of:

  * pretty        - indented JSON (default)
  * dense         - JSON on one line
  * flat          - a line for each property
`

func run(c *cli.Context) error {
	format := formats["pretty"]
	if c.NArg() > 0 {
		if format = formats[c.Args().First()]; format == nil {
			return command.Usage("")
		}
	}
	return format(c.App.Writer, info())
}

// info is what there is to tell, in the order of Cyrus's.
func info() object {
	components := object{}
	for _, f := range version.Components {
		components = append(components, member{f.Name, f.Is})
	}
	dependencies := object{}
	for _, name := range version.Dependencies {
		dependencies = append(dependencies, member{name, false})
	}
	modules := object{}
	for _, m := range version.Modules() {
		modules = append(modules, member{m.Path, m.Version})
	}
	return object{
		{"component", components},
		{"dependency", dependencies},
		{"cyrusdb", facts(version.Databases)},
		{"search", facts(version.SearchEngines)},
		{"hardware", object{}},
		{"version", object{{"CYRUS_VERSION", version.String()}, {"GO_VERSION", version.Go()}}},
		{"module", modules},
	}
}

func facts(list []version.Fact) object {
	o := object{}
	for _, f := range list {
		o = append(o, member{f.Name, f.Is})
	}
	return o
}
