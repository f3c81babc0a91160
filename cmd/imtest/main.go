// Command imtest logs in to a mail server, shows how, and joins the terminal to
// the session. It speaks the protocol that its name says: imtest, pop3test,
// lmtptest, smtptest, sivtest, mupdatetest, synctest. See man/man1/imtest.1.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"gocyrus/lib/backend"
	"gocyrus/lib/command"
	"gocyrus/lib/imtest"
)

func main() { command.Main(app(filepath.Base(os.Args[0]))) }

// protocols are those of the program's names.
var protocols = map[string]string{
	"imtest": "imap", "pop3test": "pop3", "lmtptest": "lmtp", "smtptest": "smtp",
	"sivtest": "sieve", "mupdatetest": "mupdate", "synctest": "csync",
}

func app(name string) *cli.App {
	return command.UsageCode(&cli.App{
		Name:      name,
		Usage:     "log in to a mail server by hand",
		UsageText: usageText(name),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "P", Aliases: []string{"protocol"}, Usage: "speak `protocol`, whatever the program's name"},
			&cli.StringFlag{Name: "p", Aliases: []string{"port"}, Usage: "connect to `port`"},
			&cli.StringFlag{Name: "u", Aliases: []string{"username"}, Usage: "act as `user`"},
			&cli.StringFlag{Name: "a", Aliases: []string{"authname"}, Usage: "log in as `user`"},
			&cli.StringFlag{Name: "w", Aliases: []string{"password"}, Usage: "use `password` instead of asking"},
			&cli.StringFlag{Name: "m", Aliases: []string{"mechanism"}, Usage: "use SASL `mechanism`, or login, user, apop"},
			&cli.StringFlag{Name: "r", Aliases: []string{"realm"}, Usage: "log in to `realm`"},
			&cli.IntFlag{Name: "k", Aliases: []string{"minssf"}, Usage: "require protection of `bits`"},
			&cli.IntFlag{Name: "l", Aliases: []string{"maxssf"}, Value: 128, Usage: "take a SASL layer of at most `bits`"},
			&cli.StringFlag{Name: "f", Aliases: []string{"input-filename"}, Usage: "send `file` after logging in"},
			&cli.StringFlag{Name: "t", Aliases: []string{"keyfile"}, Usage: "use STARTTLS, with the certificate and key in `file`"},
			&cli.BoolFlag{Name: "s", Aliases: []string{"require-tls"}, Usage: "speak TLS from the first octet"},
			&cli.BoolFlag{Name: "q", Aliases: []string{"require-compression"}, Usage: "compress after logging in"},
			&cli.BoolFlag{Name: "c", Aliases: []string{"do-challenge"}, Usage: "ask for answers to challenges"},
			&cli.BoolFlag{Name: "i", Aliases: []string{"no-initial-response"}, Usage: "send no initial response"},
			&cli.IntFlag{Name: "n", Aliases: []string{"reauth-attempts"}, Value: 1, Usage: "log in `number` times"},
			&cli.BoolFlag{Name: "v", Aliases: []string{"verbose"}, Usage: "say more"},
			&cli.StringFlag{Name: "I", Aliases: []string{"pidfile"}, Usage: "write the process id to `file`"},
			&cli.StringFlag{Name: "x", Aliases: []string{"output-socket"}, Usage: "serve the session on `socket`"},
			&cli.StringFlag{Name: "X", Usage: "as -x"},
			&cli.BoolFlag{Name: "z", Aliases: []string{"run-stress-test"}, Usage: "time creating and filling a mailbox"},
			&cli.StringSliceFlag{Name: "o", Aliases: []string{"sasl-option"}, Usage: "set a SASL `option=value`"},
			&cli.BoolFlag{Name: "h", Usage: "show usage"},
		},
		Action: run,
	}, 1)
}

func run(c *cli.Context) error {
	if c.Bool("h") {
		return command.Usage("")
	}
	name := c.String("P")
	if name == "" {
		name = protocols[c.App.Name]
	}
	proto := backend.Lookup(strings.ToLower(name))
	switch {
	case proto == nil:
		return fail(c, "unknown protocol")
	case c.Bool("s") && proto.TLSName == "":
		return fail(c, "protocol cannot be SSL-wrapped")
	case c.Bool("z") && proto != backend.IMAP:
		return fail(c, "stress test can only be run for IMAP")
	case c.Int("n") <= 0:
		return fail(c, "number of auth attempts must be > 0")
	}
	o := options(c, proto)
	if o.File != "" && o.Socket != "" {
		return fail(c, "cannot pipe a file when using unix domain socket output")
	}
	if file := c.String("I"); file != "" {
		if err := imtest.WritePID(file); err != nil {
			return fail(c, err.Error())
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := imtest.Run(ctx, o); err != nil {
		return fail(c, err.Error())
	}
	return nil
}

// fail ends the program as its forerunner did.
func fail(c *cli.Context, text string) error {
	fmt.Fprintf(c.App.ErrWriter, "failure: %s\n", text)
	return command.Status(1)
}

func options(c *cli.Context, proto *backend.Protocol) imtest.Options {
	host := c.Args().First()
	if host == "" {
		fmt.Fprint(c.App.ErrWriter, "WARNING: no hostname supplied, assuming localhost\n\n")
		host = "localhost"
	}
	socket := c.String("x")
	if socket == "" {
		socket = c.String("X")
	}
	return imtest.Options{
		Proto: proto, Host: host, Port: c.String("p"),
		AuthName: c.String("a"), UserName: c.String("u"), Realm: c.String("r"), Mech: c.String("m"),
		Password: password(c), MinSSF: c.Int("k"),
		Wrapped: c.Bool("s"), StartTLS: c.IsSet("t"), KeyFile: c.String("t"),
		Compress: c.Bool("q"), Attempts: c.Int("n"), Verbose: c.Bool("v"), Timing: c.Bool("z"), NoIR: c.Bool("i"),
		File: c.String("f"), Socket: socket,
		In: os.Stdin, Out: c.App.Writer, Err: c.App.ErrWriter,
	}
}

// password gives the flag's password or asks, once.
func password(c *cli.Context) func() (string, error) {
	if c.IsSet("w") {
		return func() (string, error) { return c.String("w"), nil }
	}
	return func() (string, error) {
		fmt.Fprint(c.App.Writer, "Please enter your password: ")
		defer fmt.Fprintln(c.App.Writer)
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return "", err
		}
		defer tty.Close()
		b, err := term.ReadPassword(int(tty.Fd()))
		return string(b), err
	}
}
