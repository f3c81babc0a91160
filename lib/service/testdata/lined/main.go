// Command lined is a service for tests. It greets with "hello", the pid and
// the session's number in the process, and answers one word a line.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/proc"
	"gocyrus/lib/service"
)

func main() {
	command.Main(&cli.App{
		Name: "lined",
		Flags: service.Flags(
			&cli.BoolFlag{Name: "f", Usage: "fail to start"},
			&cli.StringFlag{Name: "m", Usage: "say `mark` in the greeting"},
		),
		Action: func(c *cli.Context) error { return service.Run(c, "lined", newServer) },
	})
}

type server struct {
	mark string
	down string // file that Shutdown makes
	n    atomic.Int64
}

func newServer(cfg *config.Config, c *cli.Context) (service.Handler, error) {
	if c.Bool("f") {
		return nil, errors.New("told to fail")
	}
	return &server{mark: c.String("m"), down: cfg.Dir() + "/shutdown." + strconv.Itoa(os.Getpid())}, nil
}

func (s *server) Shutdown(context.Context) { os.WriteFile(s.down, nil, 0o644) }

func (s *server) Serve(ctx context.Context, c net.Conn) {
	fmt.Fprintf(c, "hello %d %d %s\r\n", os.Getpid(), s.n.Add(1), s.mark)
	sess := service.FromContext(ctx)
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		word, arg, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch word {
		case "quit":
			return
		case "panic":
			panic("told to panic")
		case "exit":
			n, _ := strconv.Atoi(arg)
			os.Exit(n)
		case "peer":
			fmt.Fprintf(c, "%s\r\n", sess.Peer())
		case "id":
			fmt.Fprintf(c, "%s\r\n", sess.ID())
		case "uid":
			fmt.Fprintf(c, "%d %d\r\n", os.Getuid(), os.Geteuid())
		case "env":
			fmt.Fprintf(c, "%s\r\n", os.Getenv(arg))
		case "login":
			s.login(c, sess, arg)
		case "shutdown":
			text, ok := sess.Messages().Shutdown()
			fmt.Fprintf(c, "%t %s\r\n", ok, text)
		default:
			fmt.Fprintf(c, "%s\r\n", lines.Text())
		}
	}
}

func (s *server) login(c net.Conn, sess *service.Session, user string) {
	var over *proc.OverLimit
	switch err := sess.Login(user); {
	case err == nil:
		fmt.Fprintf(c, "ok\r\n")
	case errors.As(err, &over):
		fmt.Fprintf(c, "%v\r\n", over)
	default:
		fmt.Fprintf(c, "error %v\r\n", err)
	}
}
