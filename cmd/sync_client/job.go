package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
	"gocyrus/lib/syncclient"
	"gocyrus/lib/synclog"
)

// Statuses of a comparison.
const (
	statusFailed = 1
	statusDiffer = 2
)

// job is one run of the program.
type job struct {
	c      *cli.Context
	site   *site.Site
	opt    syncclient.Options
	mode   mode
	client *syncclient.Client
	report *report
}

func newJob(c *cli.Context, s *site.Site, o syncclient.Options, m mode) *job {
	return &job{c: c, site: s, opt: o, mode: m, report: newReport(c)}
}

// run does it and returns the exit status.
func (j *job) run() int {
	ctx, stop, done := signals()
	defer done()
	var err error
	if j.client, err = syncclient.New(j.site, j.opt, nil, stop, j.report); err != nil {
		log.Err("%v", err)
		fmt.Fprintln(j.c.App.ErrWriter, err)
		return statusFailed
	}
	j.report.begin()
	code := j.do(ctx)
	j.report.end()
	j.client.Close(ctx)
	return code
}

func (j *job) do(ctx context.Context) int {
	if j.mode == modeRolling {
		return j.rolling(ctx)
	}
	operands, err := j.operands()
	if err != nil {
		log.Notice("Unable to open %s: %v", j.c.String("f"), err)
		return statusFailed
	}
	if j.c.Bool("verify") {
		return j.verify(ctx, operands)
	}
	switch j.mode {
	case modeAll:
		prefix := ""
		if len(operands) > 0 {
			prefix = operands[0]
		}
		failed, err := j.client.All(ctx, mboxname.Name(prefix))
		if err != nil {
			log.Err("%v", err)
		}
		return statusOf(err == nil && failed == 0)
	case modeMailboxes:
		return j.mailboxes(ctx, j.internal(operands))
	case modeMeta:
		return statusOf(j.client.Each(ctx, operands, j.client.Meta, "sync_do_meta"))
	default:
		return statusOf(j.client.Each(ctx, operands, j.client.User, "sync_do_user"))
	}
}

func statusOf(ok bool) int {
	if ok {
		return 0
	}
	return statusFailed
}

func (j *job) mailboxes(ctx context.Context, names []mboxname.Name) int {
	if len(names) == 0 {
		return 0
	}
	err := j.client.Mailboxes(ctx, names, nil)
	if err != nil {
		j.report.Error("Error from sync_do_mailboxes(): bailing out!")
		log.Err("Error in sync_do_mailboxes(): bailing out! %v", err)
	}
	return statusOf(err == nil)
}

// rolling works logs off. Cyrus's ends well when a log could not be: so does this one,
// and what is left is told of by the log, and by --status.
func (j *job) rolling(ctx context.Context) int {
	if f := j.c.String("f"); f != "" {
		return j.savedLog(ctx, f)
	}
	do := j.client.Rolling
	if j.c.Bool("1") {
		do = j.client.Once
	}
	err := do(ctx)
	switch {
	case err == nil:
	case errors.Is(err, lock.ErrBusy):
		fmt.Fprintln(j.c.App.ErrWriter, "another sync_client works on this channel")
		return 75
	case errors.Is(err, syncclient.ErrConnect), errors.Is(err, syncclient.ErrCompression):
		return statusFailed
	default:
		log.Err("%v", err)
	}
	return 0
}

// savedLog works off a log that somebody saved; it stays.
func (j *job) savedLog(ctx context.Context, file string) int {
	var b *synclog.Batch
	var err error
	if file == "-" {
		b, err = synclog.ReadFile("/dev/stdin")
	} else {
		b, err = synclog.ReadFile(file)
	}
	if err == nil {
		_, err = j.client.Run(ctx, b)
	}
	if err != nil {
		log.Err("Processing sync log file %s failed: %v", file, err)
	}
	return statusOf(err == nil)
}

// operands are those of the command line, or the lines of the file that -f names.
func (j *job) operands() ([]string, error) {
	name := j.c.String("f")
	if name == "" || j.mode != modeUsers && j.mode != modeMailboxes {
		return j.c.Args().Slice(), nil
	}
	if name == "-" {
		return lines(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return lines(f)
}

func lines(r io.Reader) (list []string, err error) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if t := strings.TrimSuffix(s.Text(), "\r"); t != "" && t[0] != '#' {
			list = append(list, t)
		}
	}
	return list, s.Err()
}

// internal are external names, as administrators spell them, in their internal form.
func (j *job) internal(operands []string) (names []mboxname.Name) {
	v := repair.AdminView(j.site)
	for _, o := range operands {
		n, err := v.Internal(o)
		if err != nil {
			j.report.Error(fmt.Sprintf("%s: %v", o, err))
			continue
		}
		names = append(names, n)
	}
	return names
}

func (j *job) verify(ctx context.Context, operands []string) int {
	var scope syncclient.Scope
	var err error
	switch j.mode {
	case modeAll:
		prefix := ""
		if len(operands) > 0 {
			prefix = operands[0]
		}
		scope, err = j.client.Everything(mboxname.Name(prefix))
	case modeUsers:
		scope.Users = operands
	default:
		scope.Mailboxes = j.internal(operands)
	}
	var found []syncclient.Difference
	if err == nil {
		found, err = j.client.Verify(ctx, scope)
	}
	j.list(found)
	if err == nil && len(found) > 0 && j.c.Bool("repair") {
		if found, err = j.client.Repair(ctx, found); len(found) > 0 {
			fmt.Fprintln(j.c.App.Writer, "after repair:")
			j.list(found)
		}
	}
	switch {
	case err != nil:
		log.Err("%v", err)
		fmt.Fprintln(j.c.App.ErrWriter, err)
		return statusFailed
	case len(found) > 0:
		return statusDiffer
	}
	return 0
}

func (j *job) list(found []syncclient.Difference) {
	for _, d := range found {
		fmt.Fprintln(j.c.App.Writer, d)
	}
}
