// Command saslpasswd2 sets the passwords of users in our sasldb.
// See man/man8/saslpasswd2.8.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"gocyrus/lib/command"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/sasldb"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return command.UsageCode(&cli.App{
		Name:      "saslpasswd2",
		Usage:     "set a user's SASL password",
		UsageText: usageText,
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "p", Usage: "read the password from standard input, without a prompt"},
			&cli.BoolFlag{Name: "c", Usage: "create the user"},
			&cli.BoolFlag{Name: "d", Usage: "delete the user"},
			&cli.BoolFlag{Name: "n", Usage: "store no password in clear"},
			&cli.StringFlag{Name: "f", Usage: "use the store `sasldb`"},
			&cli.StringFlag{Name: "a", Usage: "read options of the application `appname`"},
			&cli.StringFlag{Name: "u", Usage: "the user is of `domain`"},
			&cli.BoolFlag{Name: "v", Usage: "print the version"},
			&cli.BoolFlag{Name: "h", Usage: "show usage"},
		},
		Action: run,
	}, 1)
}

const usageText = `saslpasswd2: usage: saslpasswd2 [-v] [-c [-p] [-n]] [-d] [-a appname] [-f sasldb] [-u DOM] userid
	-p	pipe mode -- no prompt, password read on stdin
	-c	create -- ask mechs to create the account
	-d	disable -- ask mechs to disable/delete the account
	-n	no userPassword -- don't set plaintext userPassword property
	  	                   (only set mechanism-specific secrets)
	-f sasldb	use given file as sasldb
	-a appname	use appname as application name
	-u DOM	use DOM for user domain
	-v	print version numbers and exit
	-C file	read file instead of imapd.conf
`

func run(c *cli.Context) error {
	if c.Bool("v") {
		return printVersion(c)
	}
	if c.Bool("h") || c.NArg() != 1 || c.Bool("c") && c.Bool("d") {
		return command.Usage("")
	}
	user, realm, path, err := target(c)
	if err != nil {
		return complain(c, err)
	}
	if err := command.BecomeOwner(path); err != nil {
		return complain(c, err)
	}
	if c.Bool("d") {
		return complain(c, remove(path, user, realm))
	}
	password, err := readPassword(c)
	if err != nil {
		return complain(c, err)
	}
	st, err := sasldb.Open(path, kv.Create)
	if err != nil {
		return complain(c, err)
	}
	defer st.Close()
	return complain(c, st.Set(user, realm, password, !c.Bool("n")))
}

// remove deletes a user. Libsasl's own program is silent about one who is not
// there, and so is this.
func remove(path, user, realm string) error {
	st, err := sasldb.Open(path, 0)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Delete(user, realm); !errors.Is(err, sasldb.ErrNotFound) {
		return err
	}
	return nil
}

// complain prints err as libsasl's program does and sets its exit status.
func complain(c *cli.Context, err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprintf(c.App.ErrWriter, "saslpasswd2: %v\n", err)
	return command.Status(1)
}

var (
	errEmpty = errors.New("password must not be empty")
	errMatch = errors.New("passwords don't match; aborting")
)

// readPassword reads one line, or asks twice at a terminal.
func readPassword(c *cli.Context) (string, error) {
	fd := int(os.Stdin.Fd())
	if c.Bool("p") || !term.IsTerminal(fd) {
		return readLine(os.Stdin)
	}
	var first string
	for i, prompt := range []string{"Password: ", "Again (for verification): "} {
		fmt.Fprint(c.App.ErrWriter, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(c.App.ErrWriter)
		switch {
		case err != nil:
			return "", err
		case i == 0 && len(b) == 0:
			return "", errEmpty
		case i == 0:
			first = string(b)
		case string(b) != first:
			return "", errMatch
		}
	}
	return first, nil
}

func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errEmpty
	}
	return line, nil
}
