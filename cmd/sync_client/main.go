// Command sync_client replicates mailboxes to another server. See
// man/man8/sync_client.8.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gocyrus/lib/background"
	"gocyrus/lib/command"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/site"
	"gocyrus/lib/syncclient"
)

func main() {
	os.Args = statusArgument(os.Args)
	command.Main(app())
}

// statusArgument gives --status, whose value is optional, the one it has without.
func statusArgument(argv []string) []string {
	argv = slices.Clone(argv)
	for i, a := range argv {
		if a == "--" {
			break
		}
		if a == "--status" {
			argv[i] = "--status=text"
		}
	}
	return argv
}

func app() *cli.App {
	return &cli.App{
		Name:      "sync_client",
		Usage:     "replicate mailboxes to another server",
		UsageText: "Usage: sync_client -S <servername> [-C <alt_config>] [-r] [-v] mailbox...\n",
		Flags:     flags(),
		Action:    action,
	}
}

func action(c *cli.Context) error {
	mode, err := modeOf(c)
	if err != nil {
		return err
	}
	_, isDaemon := os.LookupEnv("CYRUS_ISDAEMON")
	if c.Bool("r") && c.String("f") == "" && !isDaemon && !background.Child() {
		code, err := background.Start(true)
		if err != nil {
			return command.Fatal(command.ExOSErr, err)
		}
		return command.Status(code)
	}
	code, err := run(c, mode)
	background.Report(max(code, 0))
	if err != nil {
		return err
	}
	if code != 0 {
		return command.Status(code)
	}
	return nil
}

// run is action in the process that does the work: the exit status, or an error that
// has one.
func run(c *cli.Context, m mode) (int, error) {
	cfg, err := command.Setup(c, "sync_client")
	if err != nil {
		return 1, err
	}
	if c.Count("v") > 1 {
		lo := command.LogOptions(cfg)
		lo.Stderr = true
		log.Open("sync_client", lo)
	}
	if m == modeStatus {
		return 0, status(c, cfg)
	}
	o, err := options(c, cfg, m)
	if err != nil {
		return 1, err
	}
	if secs := c.Int("w"); secs > 0 {
		fmt.Fprintf(c.App.ErrWriter, "Waiting for %d seconds for gdb attach...\n", secs)
		time.Sleep(time.Duration(secs) * time.Second)
	}
	s, err := site.Open(cfg)
	if err != nil {
		log.Err("DBERROR: %v", err)
		return 1, command.Fatal(command.ExTempFail, err)
	}
	j := newJob(c, s, o, m)
	return j.run(), s.Close()
}

// options are those of the configuration, with those of the flags in their place.
func options(c *cli.Context, cfg *config.Config, m mode) (syncclient.Options, error) {
	o, err := syncclient.OptionsFrom(cfg, c.String("n"))
	if err != nil {
		return o, err
	}
	if h := c.String("S"); h != "" {
		o.Dial.Addr = h
	}
	if o.Dial.Addr == "" {
		return o, command.Fatal(command.ExSoftware, errors.New("sync_host not defined"))
	}
	if f := c.String("F"); f != "" {
		o.ShutdownFile = f
	}
	if d := c.Int("d"); d > 0 {
		o.Interval = time.Duration(d) * time.Second
	}
	o.SessionTime = time.Duration(c.Int("t")) * time.Second
	o.Partition = c.String("p")
	o.LocalOnly = c.Bool("L")
	o.NoWait = c.Bool("N")
	o.NoCopyBack = c.Bool("O")
	o.ConnectOnce = c.Bool("o")
	o.NeedCompression = c.Bool("z")
	o.Dial.Archive = c.Bool("a")
	o.UseCache = m == modeRolling
	if c.Count("v") > 1 {
		o.Dial.Trace = c.App.ErrWriter
	}
	o.Dial.Log = func(text string) { log.Notice("%s", text) }
	return o, nil
}

// signals gives a channel that is closed by the first signal that ends the program,
// on which what is under way is finished, and a context that the second ends.
func signals() (ctx context.Context, stop <-chan struct{}, done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP)
	signal.Ignore(unix.SIGPIPE)
	first := make(chan struct{})
	go func() {
		if _, ok := <-caught; !ok {
			return
		}
		close(first)
		if _, ok := <-caught; ok {
			cancel()
		}
	}()
	return ctx, first, func() {
		signal.Stop(caught)
		close(caught)
		cancel()
	}
}
