package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/config"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/version"
)

// target says whose password it is and in which store: the user's own realm, or
// -u, or the server's; -f, or what imapd.conf says.
func target(c *cli.Context) (user, realm, path string, err error) {
	user, realm, path = c.Args().First(), c.String("u"), c.String("f")
	if local, own, ok := strings.Cut(user, "@"); ok && realm == "" {
		user, realm = local, own
	}
	if realm != "" && path != "" {
		return user, realm, path, nil
	}
	defPath, defRealm, err := defaults(c)
	if err != nil && path == "" {
		return "", "", "", err
	}
	if realm == "" {
		realm = defRealm
	}
	if path == "" {
		path = defPath
	}
	return user, realm, path, nil
}

// defaults reads store and realm from imapd.conf. Without one the realm is this
// machine's name.
func defaults(c *cli.Context) (path, realm string, err error) {
	realm, err = os.Hostname()
	if err != nil {
		return "", "", err
	}
	app := c.String("a")
	if app == "" {
		app = "saslpasswd2"
	}
	cfg, err := config.Load(c.String("C"), app)
	if err != nil {
		return "", realm, err
	}
	o, err := saslserver.OptionsFrom(cfg, app)
	if err != nil {
		return "", realm, err
	}
	return o.SecretsPath, o.Realm, nil
}

func printVersion(c *cli.Context) error {
	_, err := fmt.Fprintf(c.App.Writer, "saslpasswd2 of %s\n", version.String())
	return err
}
