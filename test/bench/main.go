package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rows, servers    string
	rounds           int
	quick, keep      bool
	markdown, json   string
	bin, dir         string
	dovecot, format  string
	fastLogin        bool
	profile, profSrv string
	strace           bool
	quickAck         bool
	spare            float64
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.rows, "rows", ".", "run the rows whose names match this `regexp`")
	flag.StringVar(&o.servers, "servers", "cyrus,dovecot,ours", "run these, comma-separated")
	flag.IntVar(&o.rounds, "n", 5, "`rounds` of each row")
	flag.BoolVar(&o.quick, "quick", false, "small mailboxes: to see that everything works")
	flag.BoolVar(&o.keep, "keep", false, "leave the servers' directories")
	flag.StringVar(&o.markdown, "o", "", "write the table into this Markdown `file`, between its marks")
	flag.StringVar(&o.json, "json", "", "write all values into this `file`")
	flag.StringVar(&o.bin, "bin", "bin", "`directory` of our programs")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "make the servers' directories in this `directory`")
	flag.StringVar(&o.dovecot, "dovecot", "", "`directory` with Dovecot's packages unpacked; fetched with apt-get download when empty")
	flag.StringVar(&o.format, "dovecot-format", "mdbox", "Dovecot's mail `format`: mdbox, sdbox or maildir")
	flag.BoolVar(&o.fastLogin, "dovecot-fast-login", false, "let Dovecot's login processes serve many connections")
	flag.StringVar(&o.profile, "profile", "", "sample with perf while timing, reports into this `directory`")
	flag.StringVar(&o.profSrv, "profile-server", "ours", "which server to profile")
	flag.BoolVar(&o.strace, "strace", false, "with -profile: count system calls instead")
	flag.BoolVar(&o.quickAck, "quickack", false, "acknowledge every packet at once, so that no server waits for the client's delayed acknowledgement")
	flag.Float64Var(&o.spare, "spare", 0.5, "the share of free memory that idle connections may take")
	flag.Parse()
	return o
}

func main() {
	o := parseFlags()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does everything; the servers it started are stopped when it returns.
func run(o options) error {
	if os.Geteuid() != 0 {
		return errors.New("must run as root: real Cyrus and Dovecot change user when they start")
	}
	pattern, err := regexp.Compile(o.rows)
	if err != nil {
		return err
	}
	if err := onDisk(o.dir); err != nil {
		return err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if err := manyFiles(); err != nil {
		return err
	}
	quickAck = o.quickAck
	r := &runner{z: fullSizes, rounds: o.rounds, spare: o.spare, made: map[string]map[string]error{}}
	if o.quick {
		r.z = quickSizes
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
		r.prof = &profiler{dir: o.profile, only: o.profSrv, strace: o.strace}
	}
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	stop, err := r.startServers(ctx, o)
	defer stop()
	if err != nil {
		return err
	}
	r.out.Machine, r.out.Date, r.out.Rounds = machine(), time.Now().Format(time.DateOnly), o.rounds
	if o.quickAck {
		r.out.Notes = append(r.out.Notes, "the clients acknowledged every packet at once")
	}
	for _, w := range rows(r.z) {
		if pattern.MatchString(w.name) {
			say("%s", w.name)
			r.row(ctx, w)
		}
		if ctx.Err() != nil {
			return errors.New("interrupted: nothing written")
		}
	}
	return r.finish(o)
}

// startServers makes and starts the servers asked for. The function returned
// stops those that started, also when a signal ends the run.
func (r *runner) startServers(ctx context.Context, o options) (stop func(), err error) {
	// Once, and whoever comes second waits: a signal may meet the end of the run.
	stop = sync.OnceFunc(func() {
		for _, srv := range r.servers {
			if err := srv.Stop(); err != nil {
				say("%s: %v", srv.Name(), err)
			}
			if c, ok := srv.(interface{ remove() error }); ok && !o.keep {
				if err := c.remove(); err != nil {
					say("%s: %v", srv.Name(), err)
				}
			}
		}
	})
	// Without its servers whatever runs now fails at once.
	context.AfterFunc(ctx, stop)
	r.out.About = map[string]string{}
	for _, name := range strings.Split(o.servers, ",") {
		srv, err := newServer(name, o)
		if err != nil {
			return stop, err
		}
		r.servers = append(r.servers, srv)
		r.out.Order = append(r.out.Order, name)
		r.out.About[name] = srv.About()
		r.made[name] = map[string]error{}
		if err := srv.Start(); err != nil {
			return stop, err
		}
		say("%s started: %s", name, srv.About())
	}
	return stop, nil
}

// newServer makes the server called name.
func newServer(name string, o options) (server, error) {
	switch name {
	case "cyrus":
		return realCyrus(o.dir)
	case "dovecot":
		return newDovecot(o.dir, o.dovecot, o.format, o.fastLogin)
	case "ours":
		return ourCyrus(o.dir, o.bin)
	default:
		return nil, fmt.Errorf("no server %q: cyrus, dovecot, ours", name)
	}
}

// finish prints the table and writes the files. A wrong answer of any server is an error.
func (r *runner) finish(o options) error {
	table := r.out.markdown()
	fmt.Print(table)
	if o.markdown != "" {
		if err := writeTable(o.markdown, table); err != nil {
			return err
		}
	}
	if o.json != "" {
		text, err := json.MarshalIndent(&r.out, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if len(r.out.Faults) > 0 {
		return fmt.Errorf("%d faults", len(r.out.Faults))
	}
	return nil
}

// manyFiles raises the limit on descriptors, for ourselves and, since it is set
// by hand, for the servers we start.
func manyFiles() error {
	const want = 16384
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Max = max(lim.Max, want)
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("raise the limit on open files: %w", err)
	}
	return nil
}

// onDisk refuses a directory in memory, where syncing costs nothing.
func onDisk(dir string) error {
	const tmpfs = 0x01021994 // statfs(2)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if fs.Type == tmpfs {
		return fmt.Errorf("%s is in memory: name a directory on a disk with -dir", dir)
	}
	return nil
}
