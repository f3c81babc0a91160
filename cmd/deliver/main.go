// Command deliver hands a message from its standard input to lmtpd: for MTAs
// that run a program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/backend"
	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/lmtpclient"
	"gocyrus/lib/log"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "deliver",
		Usage:     "deliver a message to mailboxes",
		ArgsUsage: "[user ...]",
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.StringFlag{Name: "a", Aliases: []string{"auth-id"}, Usage: "post as `user`", DefaultText: "nobody"},
			&cli.BoolFlag{Name: "D", Aliases: []string{"debug"}, Usage: "log more"},
			&cli.BoolFlag{Name: "d", Usage: "ignored, for compatibility with mail(1)"},
			&cli.BoolFlag{Name: "e", Usage: "ignored"},
			&cli.StringFlag{Name: "E", Usage: "refused: cyr_expire removes old marks of `days`"},
			&cli.StringFlag{Name: "F", Usage: "refused: a `flag` cannot be set"},
			&cli.StringFlag{Name: "f", Usage: "return mail to `address`"},
			&cli.BoolFlag{Name: "l", Aliases: []string{"lmtp"}, Usage: "relay LMTP between standard input, standard output and lmtpd"},
			&cli.StringSliceFlag{Name: "m", Aliases: []string{"mailbox"}, Usage: "deliver to `folder` of each user, or without users to that shared folder"},
			&cli.BoolFlag{Name: "q", Aliases: []string{"ignore-quota"}, Usage: "deliver to mailboxes that are over quota"},
			&cli.StringFlag{Name: "r", Aliases: []string{"return-path"}, Usage: "return mail to `address`"},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	for _, old := range []string{"E", "F"} {
		if c.IsSet(old) {
			return command.Usage(fmt.Sprintf("'%s' option no longer supported", old))
		}
	}
	folders := c.StringSlice("m")
	if len(folders) > 1 {
		return command.Usage("multiple -m options")
	}
	folder := strings.Join(folders, "")
	if !c.Bool("l") && c.NArg() == 0 && folder == "" {
		return command.Usage("")
	}
	cfg, err := command.Setup(c, "deliver")
	if err != nil {
		return err
	}
	log.SetDebug(c.Bool("D") || log.Debugging())
	if c.Bool("l") {
		return relay(c, cfg.Str("lmtpsocket"))
	}
	return deliver(c, cfg, folder)
}

// idleLimit is how long deliver waits for lmtpd.
const idleLimit = 300 * time.Second

// unreachable ends the program when there is no lmtpd, as Cyrus's does: with
// words for an MTA on standard output. MTAs try again later.
func unreachable(c *cli.Context, what string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		err = sys.Err
	}
	fmt.Fprintf(c.App.ErrWriter, "%s: %v\n", what, err)
	fmt.Fprintf(c.App.Writer, "421 4.3.0 deliver: %s\r\n", what)
	return command.Status(command.ExConfig)
}

func deliver(c *cli.Context, cfg *config.Config, folder string) error {
	conn, err := backend.Dial(context.Background(), backend.LMTP, cfg.Str("lmtpsocket"),
		backend.Options{Timeout: idleLimit, Hello: "deliver"})
	if err != nil {
		return unreachable(c, "couldn't connect to lmtpd", err)
	}
	defer conn.Close()
	t := &lmtpclient.Transaction{
		From: returnPath(c), Auth: c.String("a"),
		To: recipients(c.Args().Slice(), folder, cfg.Str("postuser"), c.Bool("q")),
	}
	results, err := lmtpclient.Send(conn, t, os.Stdin)
	if err != nil {
		log.Err("delivery to %s: %v", cfg.Str("lmtpsocket"), err)
	} else {
		// The results are in; a farewell that is not heard changes nothing.
		_ = conn.Logout()
	}
	return report(c.App.Writer, t.To, results)
}

// returnPath is that of the flags or who runs the program.
func returnPath(c *cli.Context) string {
	for _, flag := range []string{"r", "f"} {
		if c.IsSet(flag) {
			return c.String(flag)
		}
	}
	uid := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

// recipients are the addresses: a folder goes behind the user's name, before
// the domain.
func recipients(users []string, folder, postuser string, ignoreQuota bool) (to []lmtpclient.Recipient) {
	if len(users) == 0 {
		users = []string{postuser}
	}
	for _, u := range users {
		if folder != "" {
			local, domain, ok := strings.Cut(u, "@")
			u = local + "+" + folder
			if ok {
				u += "@" + domain
			}
		}
		to = append(to, lmtpclient.Recipient{Addr: u, IgnoreQuota: ignoreQuota})
	}
	return to
}

// report tells of recipients that were refused, and sums all up in the status:
// one that may succeed later makes the MTA try again.
func report(w io.Writer, to []lmtpclient.Recipient, results []lmtpclient.Result) error {
	code := 0
	for i, r := range results {
		switch {
		case r.Good():
		case r.Temporary():
			code = command.ExTempFail
		default:
			fmt.Fprintf(w, "%s: %s\n", to[i].Addr, reason(r))
			if code == 0 {
				code = command.ExDataErr
			}
		}
	}
	if code == 0 {
		return nil
	}
	return command.Status(code)
}

// reason is Cyrus's word for a permanent failure.
func reason(r lmtpclient.Result) string {
	switch {
	case r.Code == 550 && strings.HasPrefix(r.Text, "5.1"):
		return "Mailbox does not exist"
	case r.Code == 550:
		return "Permission denied"
	case r.Code == 552 && strings.HasPrefix(r.Text, "5.2.3"):
		return "Message size exceeds fixed limit"
	case r.Code == 552:
		return "Over quota"
	case r.Code == 554:
		return "Message contains invalid header"
	}
	return "Bad protocol"
}

// relay carries LMTP both ways until lmtpd has said all.
func relay(c *cli.Context, socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return unreachable(c, "connect failed", err)
	}
	defer conn.Close()
	go func() {
		io.Copy(conn, os.Stdin)
		// lmtpd sees the end, and ends its side.
		conn.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(c.App.Writer, conn)
	return command.Fatal(command.ExTempFail, err)
}
