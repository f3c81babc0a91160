// Command idled tells imapd processes which mailboxes others have changed.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gocyrus/lib/background"
	"gocyrus/lib/command"
	"gocyrus/lib/idle"
	"gocyrus/lib/log"
)

func main() { command.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:  "idled",
		Usage: "tell idling sessions of changes",
		Flags: []cli.Flag{
			command.ConfigFlag,
			&cli.BoolFlag{Name: "d", Usage: "stay in the foreground and log every datagram"},
		},
		Action: run,
	}
}

// run stays in the foreground below DAEMON, which says so in CYRUS_ISDAEMON;
// from START it goes into the background once its socket is bound.
func run(c *cli.Context) error {
	cfg, err := command.Setup(c, "idled")
	if err != nil {
		return err
	}
	_, isDaemon := os.LookupEnv("CYRUS_ISDAEMON")
	if !c.Bool("d") && !isDaemon && !background.Child() {
		// In the same process group: master's end reaches it there.
		code, err := background.Start(false)
		if err != nil {
			return command.Fatal(command.ExOSErr, err)
		}
		return exit(code)
	}
	s, err := idle.Listen(idle.OptionsFrom(cfg).Socket)
	if err != nil {
		log.Err("IDLE: %v", err)
		background.Report(1)
		return exit(1)
	}
	background.Report(0)
	s.Debug = c.Bool("d") || log.Debugging()
	log.SetDebug(s.Debug)
	ctx, stop := signals(isDaemon)
	defer stop()
	shutdown := filepath.Join(cfg.Dir(), "msg", "shutdown")
	err = s.Serve(ctx, func() bool {
		_, err := os.Stat(shutdown)
		return err == nil
	})
	if err != nil {
		log.Err("IDLE: %v", err)
		return exit(1)
	}
	return nil
}

// signals ends the context at what stops idled. SIGHUP does for a DAEMON, which
// master starts again; otherwise it means nothing.
func signals(isDaemon bool) (context.Context, context.CancelFunc) {
	stopping := []os.Signal{unix.SIGTERM, unix.SIGQUIT, unix.SIGINT}
	if isDaemon {
		stopping = append(stopping, unix.SIGHUP)
	} else {
		signal.Ignore(unix.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), stopping...)
}

func exit(code int) error {
	if code == 0 {
		return nil
	}
	return cli.Exit("", code)
}
