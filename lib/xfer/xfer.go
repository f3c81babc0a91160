// Package xfer moves mailboxes from this backend of a murder to another: users with
// all that belongs to them, and single shared mailboxes.
//
// A move has these steps:
//
//	first and second pass   everything is replicated to the other server, over its IMAP
//	                        port, while users go on
//	departure               under the owner's lock: the records say that the mailboxes
//	                        move, and the master keeps the names reserved
//	final pass, comparison  what has changed meanwhile follows, and it is compared whether
//	                        the other server has all of it
//	decision                one change of mailboxes.db: from here on the mailboxes are the
//	                        other server's
//	announcement            the other server tells the master that it has them, INBOX last
//	removal                 what is left here goes
//
// Whatever fails or dies before the decision leaves all mailboxes here, whatever does so
// after it has them all at the other server: who finds the records later goes back, or
// on, as they say (mboxops.Cargo). Cyrus removes before it announces, and can lose a
// user from the murder so; what is removed here last of all has been announced.
//
// A copy that a move that failed has left at the other server is removed there, if it can
// be: see discard.
package xfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/inflight"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/seen"
	"gocyrus/lib/site"
)

var (
	// ErrSame is the error of a move to this server.
	ErrSame = errors.New("it is on that server already")
	// ErrCollision is the error of a mailbox whose id another one has at the other
	// server.
	ErrCollision = errors.New("another mailbox of that server has the same unique id")
	// ErrDiffers is the error of a copy that is not what is here.
	ErrDiffers = errors.New("the copy is not complete")
)

// Unfinished is the error of a move that is decided, and whose rest has to wait for
// another server. It goes on by itself.
type Unfinished struct{ Err error }

func (u *Unfinished) Error() string {
	return "everything is there, and will be announced later: " + u.Err.Error()
}
func (u *Unfinished) Unwrap() error { return u.Err }

// Options are the settings.
type Options struct {
	Server  string // servername: who we are; empty outside of a murder
	Users   bool   // allowusermoves: for who decides what may be moved
	Proxy   *proxy.Options
	Notes   string        // directory of the notes of moves
	Retry   time.Duration // mupdate_retry_delay: between two attempts to finish one
	Timeout time.Duration // sync_timeout: of a wait while nobody else has to
	Look    time.Duration // between two looks for moves of processes that were killed
	Late    time.Duration // after which nothing that a killed process sent is still carried out
}

// lookInterval is short beside the time in which senders try again to deliver, and long
// beside what it costs to read a directory.
const lookInterval = 30 * time.Second

// lateWait is long beside the time that a server takes for what it has received of a
// connection that is gone.
const lateWait = 10 * time.Second

// leastTimeout is that of Cyrus.
const leastTimeout = 3 * time.Second

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) *Options {
	o := &Options{
		Users: cfg.Bool("allowusermoves"), Proxy: proxy.OptionsFrom(cfg), Notes: filepath.Join(cfg.Dir(), "inflight.xfer"), Retry: time.Second,
		Timeout: max(cfg.Duration("sync_timeout"), leastTimeout), Look: lookInterval, Late: lateWait,
	}
	if m := mboxops.MurderOptionsFrom(cfg); m != nil {
		o.Server, o.Retry = m.Server, m.Retry
	}
	return o
}

// Item is what is moved at once: all of a user, or one mailbox.
type Item struct {
	User      string
	Mailbox   mboxname.Name // INBOX of a user
	Partition string        // that it is on
}

func (i Item) cargo() mboxops.Cargo { return mboxops.Cargo{User: i.User, Mailbox: i.Mailbox} }

func (i Item) String() string { return i.cargo().String() }

// Mover moves mailboxes of a site. Its methods may be called from many goroutines.
type Mover struct {
	site  *site.Site
	opt   *Options
	notes *inflight.Log
	tags  csync.Tags

	readers *readers
	// missing is missingAt but in tests.
	missing func(context.Context, journey, []*mboxlist.Entry) (map[mboxname.Name]bool, error)

	ctx  context.Context
	stop context.CancelFunc
	rest sync.WaitGroup // moves that are being finished
	look sync.WaitGroup // Watch
}

// New is a mover of what s has.
func New(s *site.Site, o *Options) *Mover {
	m := &Mover{site: s, opt: o, notes: inflight.New(o.Notes), readers: newReaders(s)}
	m.missing = m.missingAt
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// Is says whether a server is this one.
func (m *Mover) Is(server string) bool { return strings.EqualFold(server, m.opt.Server) }

// Users says whether the site lets administrators move users.
func (m *Mover) Users() bool { return m.opt.Users }

// Close ends what goes on by itself. Moves that are not finished are found by the
// process that comes next.
func (m *Mover) Close() error {
	m.stop()
	m.look.Wait()
	m.rest.Wait()
	return m.notes.Close()
}

// Wait waits until nothing goes on by itself any more, or ctx ends.
func (m *Mover) Wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		m.rest.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Move moves an item to another server, to a partition of it, or, when that is empty,
// to the partitions of the names that it is on. It returns when the item has been
// announced there and is gone from here. report, unless nil, hears of each step.
//
// The errors are ErrSame, ErrCollision, ErrDiffers, proxy.ErrUnavailable,
// those of csync, and mboxops's ErrNoMurder, ErrNotFound, ErrMoving (somebody moves it
// already), ErrReserved (another server has it), ErrNoMaster: then all is here as it
// was. An *Unfinished is at the other server.
func (m *Mover) Move(ctx context.Context, item Item, server, partition string, report func(step string)) error {
	if report == nil {
		report = func(string) {}
	}
	switch {
	case m.site.Murder == nil:
		return mboxops.ErrNoMurder
	case m.Is(server):
		return fmt.Errorf("%s: %w", server, ErrSame)
	}
	release, err := m.alone(ctx, item.cargo())
	if err != nil {
		return err
	}
	defer release()
	// Before anything is sent it is known whether it can be moved at all.
	if err := m.site.Ops.MayDepart(ctx, item.cargo()); err != nil {
		return err
	}
	j := journey{item.cargo(), server, partition}
	note, err := m.notes.Begin(j.note())
	if err != nil {
		return err
	}
	v := &move{
		Mover: m, Item: item, server: server, partition: partition, report: report,
		brought: map[seenKey]seen.Record{}, seenFiles: map[string]os.FileInfo{},
	}
	err = v.run(ctx)
	if err != nil && (v.litter != nil || m.unfinished(item.cargo())) {
		m.finish(j, note, m.opt.Retry)
		return err
	}
	note.End()
	return err
}

// unfinished says whether there is something to be done about a move that is over.
func (m *Mover) unfinished(c mboxops.Cargo) bool {
	_, stage, err := m.site.Ops.Underway(c)
	return err != nil || stage >= mboxops.UnderWay
}
