package mupdateserver

import (
	"context"
	"errors"
	"fmt"
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
	copier
	opts    mupdate.Options
	name    string                 // mupdate_server
	at      atomic.Pointer[string] // which of several it is
	callers callers
	insync  time.Time // since when this connection is; of run alone

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
		copier: copier{t, list}, opts: o.Client, name: o.MasterName, callers: callers{patient: o.Client.Several()},
		synced: make(chan struct{}), done: make(chan struct{}),
	}
}

// run follows the master until ctx ends, on one connection after the other.
func (s *slave) run(ctx context.Context) {
	defer close(s.done)
	defer s.callers.close()
	again := retry{masters: len(s.opts.Servers), delay: s.opts.RetryDelay}
	for ctx.Err() == nil {
		s.insync = time.Time{}
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		log.Err("%v", err)
		var lasted time.Duration
		if !s.insync.IsZero() {
			lasted = time.Since(s.insync)
		}
		pause := again.after(lasted, err)
		if pause == 0 {
			continue
		}
		log.Err("retrying connection to mupdate server in %d seconds", int(pause.Seconds()))
		s.callers.hold(ctx, pause)
	}
}

// master is whom the slave says that it follows.
func (s *slave) master() string {
	if !s.opts.Several() {
		return s.name
	}
	if at := s.at.Load(); at != nil {
		return *at
	}
	return s.opts.Name()
}

// session is one connection. The error says why it ended.
func (s *slave) session(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var c *mupdate.Client
	s.callers.without(func() { c, err = mupdate.Connect(ctx, s.opts) })
	if err != nil {
		return fmt.Errorf("%w: %w", errNoMaster, err)
	}
	defer c.Close()
	defer func() {
		if err != nil {
			c.Blame()
		}
	}()
	log.Notice("successful mupdate connection to %s", c.Server())
	s.at.Store(new(c.Server()))
	stream, err := s.catchUp(ctx, c)
	if err != nil {
		return err
	}
	log.Notice("mailbox list synchronization complete")
	// Two whole lists are more than this process ever needs again.
	debug.FreeOSMemory()
	s.insync = time.Now()
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

// scarf reads the whole list. The old one stays in service meanwhile.
func (s *slave) scarf(ctx context.Context, c *mupdate.Client) ([]keyed, *mupdate.Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(s.stall(), func() { cancel(errTimedOut) })
	defer watch.Stop()
	var remote []keyed
	stream, err := c.Update(ctx, nil, func(e mupdate.Entry) {
		if len(remote)%1024 == 0 {
			watch.Reset(s.stall())
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
	if err := s.callers.open(s.opts.KickSocket); err != nil {
		cancel()
		return err
	}
	var helpers sync.WaitGroup
	batches := make(chan batch)
	helpers.Go(func() { readBatches(ctx, stream, batches) })
	s.cur.Store(f)
	s.once.Do(func() { close(s.synced) })
	defer func() {
		s.cur.Store(nil)
		s.callers.lose()
		cancel()
		close(f.gone)
		f.answer(false)
		if !s.callers.patient {
			s.callers.close()
		}
		stream.Close()
		helpers.Wait()
	}()
	for _, c := range s.callers.left() {
		if err := f.ask(s.callers.answer(c)); err != nil {
			return err
		}
	}
	return s.loop(ctx, f, batches)
}

func (s *slave) loop(ctx context.Context, f *follower, batches <-chan batch) error {
	ping := s.ping()
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
		case c := <-s.callers.calls:
			err = f.ask(s.callers.answer(c))
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
