package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"gocyrus/lib/log"
)

// report tells of the work: line by line where that is wanted, and on a terminal, in
// the course of a long run, how far it is.
type report struct {
	out, err      io.Writer
	verbose, logs bool
	bar           bool

	mu              sync.Mutex
	users, messages int
	bytes           int64
	began           time.Time
	shown           bool
	stop            chan struct{}
	stopped         sync.WaitGroup
}

func newReport(c *cli.Context) *report {
	r := &report{out: c.App.Writer, err: c.App.ErrWriter, verbose: c.Bool("v"), logs: c.Bool("l"), stop: make(chan struct{})}
	if f, ok := r.out.(*os.File); ok && !r.verbose && !c.Bool("r") && !c.Bool("R") {
		r.bar = term.IsTerminal(int(f.Fd()))
	}
	return r
}

// barEvery is how often the line on a terminal is drawn anew; nothing is drawn in a run
// that is over before.
const barEvery = 500 * time.Millisecond

func (r *report) begin() {
	r.began = time.Now()
	if !r.bar {
		return
	}
	r.stopped.Go(func() {
		t := time.NewTicker(barEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				r.draw()
			case <-r.stop:
				return
			}
		}
	})
}

func (r *report) draw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shown = true
	secs := time.Since(r.began).Seconds()
	fmt.Fprintf(r.out, "\r%d users, %d messages, %.1f MB, %.1f MB/s, %.0f s\x1b[K",
		r.users, r.messages, float64(r.bytes)/1e6, float64(r.bytes)/1e6/secs, secs)
}

func (r *report) end() {
	close(r.stop)
	r.stopped.Wait()
	if r.shown {
		r.draw()
		fmt.Fprintln(r.out)
	}
}

// Progress prints and logs what is done.
func (r *report) Progress(line string) {
	if r.verbose {
		r.mu.Lock()
		fmt.Fprintln(r.out, line)
		r.mu.Unlock()
	}
	if r.logs {
		log.Info("%s", line)
	}
}

// Complain prints what an administrator at a terminal has to know.
func (r *report) Complain(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.err, line)
}

// Error is Complain for what Cyrus tells with -v alone.
func (r *report) Error(line string) {
	if r.verbose {
		r.Complain(line)
	}
}

// Count adds to the sums.
func (r *report) Count(users, messages int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users += users
	r.messages += messages
	r.bytes += bytes
}
