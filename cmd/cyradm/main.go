// Command cyradm administers an IMAP server: mailboxes, rights, quotas and
// metadata, from commands typed or in a script. See man/man1/cyradm.1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"gocyrus/lib/command"
	"gocyrus/lib/cyradm"
)

func main() { os.Exit(command.Run(app(), spell(app().Flags, os.Args))) }

func app() *cli.App {
	return command.LenientFlags(&cli.App{
		Name:      "cyradm",
		Usage:     "administer an IMAP server",
		UsageText: usageText,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "log in as `user`"},
			&cli.StringFlag{Name: "authz", Aliases: []string{"z"}, Usage: "act as `user`"},
			&cli.BoolFlag{Name: "rc", Aliases: []string{"r"}, Usage: "read the rc files"},
			&cli.BoolFlag{Name: "norc", Aliases: []string{"no-rc"}, Usage: "read no rc files"},
			&cli.StringFlag{Name: "systemrc", Aliases: []string{"S"}, Value: "/etc/cyradmrc.pl", Usage: "read the site's commands from `file`"},
			&cli.StringFlag{Name: "userrc", Usage: "read the user's commands from `file`"},
			&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Usage: "connect to `server`"},
			&cli.StringFlag{Name: "port", Aliases: []string{"p"}, Value: "143", Usage: "connect to `port`"},
			&cli.StringFlag{Name: "auth", Aliases: []string{"a"}, Usage: "log in with SASL `mechanism`"},
			&cli.StringFlag{Name: "password", Aliases: []string{"w"}, Usage: "use `password` instead of asking"},
			&cli.StringFlag{Name: "tlskey", Aliases: []string{"t"}, Usage: "use STARTTLS, with the certificate and key in `file`"},
			&cli.BoolFlag{Name: "notls", Usage: "do not use STARTTLS"},
			&cli.StringFlag{Name: "cafile", Usage: "check the server's certificate by the authorities in `file`"},
			&cli.StringFlag{Name: "cadir", Aliases: []string{"capath"}, Usage: "check the server's certificate by the authorities in `directory`"},
			&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show usage"},
			&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "show the version"},
		},
		Action: run,
	})
}

func run(c *cli.Context) error {
	switch {
	case c.Bool("help"):
		fmt.Fprint(c.App.Writer, usageText)
		return nil
	case c.Bool("version"):
		// Cyrus prints the version of the shell, which never changed.
		fmt.Fprintln(c.App.Writer, "version: Cyrus IMAP 1.00")
		return nil
	case c.IsSet("server") && c.NArg() > 0:
		return fail(c, 255, "may not specify server both with --server and bare arg")
	case c.NArg() > 2:
		fmt.Fprint(c.App.Writer, usageText)
	}
	s := &cyradm.Shell{Out: c.App.Writer, Err: c.App.ErrWriter, Env: os.Getenv, Login: login(c), Port: "143"}
	defer s.Close()
	if err := connect(c, s); err != nil {
		return err
	}
	if c.Bool("rc") || !c.Bool("norc") {
		for _, file := range []string{c.String("systemrc"), userRC(c)} {
			if status, exited := s.RC(file); exited {
				return command.Status(status)
			}
		}
	}
	if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
		status, _ := s.Interact()
		return command.Status(status)
	}
	status, _ := s.Script(os.Stdin)
	return command.Status(status)
}

func userRC(c *cli.Context) string {
	if file := c.String("userrc"); file != "" {
		return file
	}
	return filepath.Join(os.Getenv("HOME"), ".cyradmrc.pl")
}

func login(c *cli.Context) cyradm.Login {
	l := cyradm.Login{User: c.String("user"), Authz: c.String("authz"), TLS: c.IsSet("tlskey"), NoTLS: c.Bool("notls"),
		TLSKey: c.String("tlskey"), CAFile: c.String("cafile"), CAPath: c.String("cadir"), Password: ask}
	if l.User == "" {
		l.User = whoami()
	}
	if m := c.String("auth"); m != "" {
		l.Mechs = strings.Fields(m)
	}
	if c.IsSet("password") {
		word := c.String("password")
		l.Password = func() (string, error) { return word, nil }
	}
	return l
}

func whoami() string {
	for _, name := range []string{"USER", "LOGNAME"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// connect connects and logs in where a server is named.
func connect(c *cli.Context, s *cyradm.Shell) error {
	host, port := c.String("server"), c.String("port")
	if c.NArg() > 0 {
		host = c.Args().First()
	}
	if c.NArg() > 1 {
		port = c.Args().Get(1)
	}
	if host == "" {
		return nil
	}
	if err := s.Connect(context.Background(), host, port); err != nil {
		fmt.Fprintln(c.App.ErrWriter, err)
		return fail(c, errno(err), "cannot connect to server")
	}
	if err := s.Authenticate(context.Background()); err != nil {
		fmt.Fprintln(c.App.ErrWriter, err)
		with := ""
		if m := c.String("auth"); m != "" {
			with = " with " + m
		}
		return fail(c, 255, "cannot authenticate to server"+with+" as "+s.Login.User)
	}
	return nil
}

// fail prints what went wrong and ends with status.
func fail(c *cli.Context, status int, text string) error {
	fmt.Fprintf(c.App.ErrWriter, "cyradm: %s\n", text)
	return command.Status(status)
}

// errno is the status of a failure of the system: its number, as Perl's die has
// it, so that no server there is 111.
func errno(err error) int {
	var e syscall.Errno
	if errors.As(err, &e) && e > 0 && e < 256 {
		return int(e)
	}
	return 255
}

// ask has the user type a password, unseen; without a terminal it is the first
// line of the input, as for getpass(3).
func ask() (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return firstLine(os.Stdin)
	}
	defer tty.Close()
	fmt.Fprint(tty, "Password: ")
	defer fmt.Fprintln(tty)
	b, err := term.ReadPassword(int(tty.Fd()))
	return string(b), err
}

// firstLine takes a line and nothing beyond it: the rest are commands.
func firstLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 1024; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", fmt.Errorf("no password: %w", err)
		}
		if b[0] == '\n' {
			return string(line), nil
		}
	}
	return "", errors.New("no password: line too long")
}
