package mupdateserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// slave follows a master. All it does to the list goes through the table, so
// that sessions of its own port stream what it hears.
type slave struct {
	table *table
	list  *mboxlist.List
	opts  mupdate.Options
	name  string // mupdate_server, for the log

	synced chan struct{} // closed after the first sync
	once   sync.Once
	done   chan struct{} // closed when run has ended

	cur atomic.Pointer[follower]
}

// follower is one connection to the master, after the sync.
type follower struct {
	stream *mupdate.Stream
	asks   chan func(ok bool) // who wants to be told when the slave has caught up
	gone   chan struct{}      // closed at the end of the connection

	// A NOOP is under way while waiting is not nil; next are those who came
	// after it was sent, and need another.
	waiting, next []func(ok bool)
	sent          bool
}

func newSlave(t *table, list *mboxlist.List, o Options) *slave {
	return &slave{
		table: t, list: list, opts: o.Client, name: o.MasterName,
		synced: make(chan struct{}), done: make(chan struct{}),
	}
}

// run follows the master until ctx ends, on one connection after the other.
func (s *slave) run(ctx context.Context) {
	defer close(s.done)
	for {
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		log.Err("%v", err)
		pause := retryAfter(s.opts.RetryDelay)
		log.Err("retrying connection to mupdate server in %d seconds", int(pause.Seconds()))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// retryAfter is how long to wait: once to one and a half times d, so that not
// all slaves come back at the same moment.
func retryAfter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d + rand.N(d/2)
}

// session is one connection. The error says why it ended.
func (s *slave) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := mupdate.Connect(ctx, s.opts)
	if err != nil {
		return fmt.Errorf("couldn't connect to mupdate server: %w", err)
	}
	defer c.Close()
	log.Notice("successful mupdate connection to %s", s.name)
	stream, err := s.catchUp(ctx, c)
	if err != nil {
		return err
	}
	log.Notice("mailbox list synchronization complete")
	// Two whole lists are more than this process ever needs again.
	debug.FreeOSMemory()
	return s.follow(ctx, stream)
}

// catchUp makes the list what the master's is at the beginning of the stream.
func (s *slave) catchUp(ctx context.Context, c *mupdate.Client) (*mupdate.Stream, error) {
	log.Notice("scarfing mailbox list from master mupdate server")
	remote, stream, err := s.scarf(ctx, c)
	if err != nil {
		return nil, err
	}
	log.Notice("synchronizing mailbox list with master mupdate server")
	return stream, s.resync(remote)
}

// stall is how long a master may be silent while it dumps its list.
const stall = 2 * time.Minute

// scarf reads the whole list. The old one stays in service meanwhile.
func (s *slave) scarf(ctx context.Context, c *mupdate.Client) ([]keyed, *mupdate.Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errTimedOut) })
	defer watch.Stop()
	var remote []keyed
	stream, err := c.Update(ctx, nil, func(e mupdate.Entry) {
		if len(remote)%1024 == 0 {
			watch.Reset(stall)
		}
		if usable(&e) {
			remote = append(remote, keyed{e.Name.DB(), e})
		}
	})
	return remote, stream, err
}

// usable says whether an entry of the master can be stored.
func usable(e *mupdate.Entry) bool {
	ok := mupdate.ValidName(e.Name) && (e.State == mupdate.Absent || mupdate.ValidLocation(e.Location))
	if !ok {
		log.Warning("mupdate server has a bad entry, ignored: %q %q", string(e.Name), e.Location)
	}
	return ok
}

// errTimedOut ends a connection on which the master is silent.
var errTimedOut = errors.New("connection to master timed out")

// follow applies what the stream tells, and answers kicks.
func (s *slave) follow(ctx context.Context, stream *mupdate.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{stream: stream, asks: make(chan func(bool)), gone: make(chan struct{})}
	kicks, err := listenKicks(s.opts.KickSocket)
	if err != nil {
		cancel()
		return err
	}
	calls := make(chan net.Conn)
	var helpers sync.WaitGroup
	helpers.Go(func() { kicks.accept(ctx, calls) })
	batches := make(chan batch)
	helpers.Go(func() { readBatches(ctx, stream, batches) })
	s.cur.Store(f)
	s.once.Do(func() { close(s.synced) })
	defer func() {
		s.cur.Store(nil)
		cancel()
		close(f.gone)
		f.answer(false)
		kicks.Close()
		stream.Close()
		helpers.Wait()
	}()
	return s.loop(ctx, f, batches, calls)
}

func (s *slave) loop(ctx context.Context, f *follower, batches <-chan batch, calls <-chan net.Conn) error {
	ping := s.opts.RetryDelay // Cyrus's interval too
	if ping < time.Second {
		ping = 20 * time.Second
	}
	silence := time.NewTimer(ping)
	defer silence.Stop()
	pinged := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-batches:
			pinged = false
			silence.Reset(ping)
			if err = s.take(f, b); err == nil {
				err = b.err
			}
		case ask := <-f.asks:
			err = f.ask(ask)
		case c := <-calls:
			err = f.ask(func(ok bool) {
				if ok {
					kicked(c)
				} else {
					c.Close()
				}
			})
		case <-silence.C:
			if pinged {
				return errTimedOut
			}
			pinged = true
			silence.Reset(ping)
			if !f.sent {
				err = f.ask(func(bool) {})
			}
		}
		if err != nil {
			return err
		}
	}
}

// ask has done called when everything that the master knows now has been
// applied.
func (f *follower) ask(done func(ok bool)) error {
	f.next = append(f.next, done)
	return f.noop()
}

// noop sends a NOOP for those who wait, unless one is under way that was sent
// too early for them.
func (f *follower) noop() error {
	if f.sent || len(f.next) == 0 {
		return nil
	}
	f.waiting, f.next, f.sent = f.next, nil, true
	return f.stream.Noop()
}

// answered is the answer to the NOOP under way.
func (f *follower) answered() error {
	for _, done := range f.waiting {
		done(true)
	}
	f.waiting, f.sent = nil, false
	return f.noop()
}

// answer tells everybody who waits how it ended.
func (f *follower) answer(ok bool) {
	for _, done := range append(f.waiting, f.next...) {
		done(ok)
	}
	f.waiting, f.next = nil, nil
}

// sync waits until the slave has caught up with its master, or finds that it is
// not connected.
func (s *slave) sync(ctx context.Context) {
	f := s.cur.Load()
	if f == nil {
		return
	}
	done := make(chan struct{})
	select {
	case f.asks <- func(bool) { close(done) }:
	case <-f.gone:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-f.gone:
	case <-ctx.Done():
	}
}
