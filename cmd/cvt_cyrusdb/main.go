// Command cvt_cyrusdb copies a database into one of another format. See
// man/man8/cvt_cyrusdb.8.
package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/log"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:  "cvt_cyrusdb",
		Usage: "convert a database to another format",
		UsageText: "Usage: cvt_cyrusdb [-C altconfig] <old db> <old db backend> <new db> <new db backend>\n" +
			"Usable Backends:  : " + strings.Join(cyrusdb.Kinds(), ", "),
		Flags:  []cli.Flag{command.ConfigFlag},
		Action: run,
	}, 255)
}

const relative = `
Sorry, you cannot use this tool with relative path names.
This is because some database backends do not
always do what you would expect with them.

Please use absolute pathnames instead.

`

func run(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) != 4 {
		return command.Usage("")
	}
	from, fromKind, to, toKind := args[0], args[1], args[2], args[3]
	if !strings.HasPrefix(from, "/") || !strings.HasPrefix(to, "/") {
		fmt.Fprint(c.App.Writer, relative)
		return command.Status(command.ExOSErr)
	}
	if _, err := command.Setup(c, "cvt_cyrusdb"); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "Converting from %s (%s) to %s (%s)\n", from, fromKind, to, toKind)
	for _, kind := range []string{fromKind, toKind} {
		if !cyrusdb.Known(kind) {
			return command.Fatal(command.ExConfig, fmt.Errorf("cyrusdb backend %s not supported", kind))
		}
	}
	if _, err := cyrusdb.Convert(from, to, toKind); err != nil {
		// The status stays 0, as scripts know it.
		log.Err("DBERROR: converting %s to %s: %v", from, to, err)
		fmt.Fprintf(c.App.Writer, "\nDBERROR: Conversion failed (%v). Check syslog for details.\n", err)
	}
	return nil
}
