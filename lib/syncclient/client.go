package syncclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/site"
	"gocyrus/lib/syncstate"
)

// ErrConnect is the error of a replica that could not be reached.
var ErrConnect = errors.New("can not connect to the replica")

// ErrCompression is the error of a connection that -z wanted compressed.
var ErrCompression = errors.New("failed to enable compression")

// Reporter hears what a client does, in Cyrus's words.
type Reporter interface {
	// Progress is one thing that is being done: "MAILBOX user.alice".
	Progress(line string)
	// Complain is for whoever waits at a terminal: it goes to standard error.
	Complain(line string)
	// Error is a failure of one object, which the log tells of anyway.
	Error(line string)
	// Count adds to the sums of a long run.
	Count(users, messages int, bytes int64)
}

// silent is a Reporter that nobody listens to.
type silent struct{}

func (silent) Progress(string)       {}
func (silent) Complain(string)       {}
func (silent) Error(string)          {}
func (silent) Count(int, int, int64) {}

// Dialer makes a session with the replica.
type Dialer func(ctx context.Context) (*csync.Client, error)

// Client replicates the mailboxes of a site to one replica. Its methods may be
// called from many goroutines.
type Client struct {
	site   *site.Site
	opt    Options
	dial   Dialer
	report Reporter
	reader *syncstate.Reader
	sieve  *sievedir.Dir
	cache  *cache
	locks  userLocks
	bytes  *budget
	stop   <-chan struct{}

	goesOn    bool // without users that are slow: rolling replication
	slowAfter time.Duration
	slow      slow

	verifyPause time.Duration

	connecting chan struct{} // one token: who may connect
	current    *session      // under the token
	hopeless   error         // likewise: no other try is to be made
}

// New is a client of the replica that dial reaches; nil is the one of the options.
// What is under way when stop is closed is finished, and nothing new begun. report
// may be nil.
func New(s *site.Site, o Options, dial Dialer, stop <-chan struct{}, report Reporter) (*Client, error) {
	if dial == nil {
		d, err := o.dialing()
		if err != nil {
			return nil, err
		}
		dial = func(ctx context.Context) (*csync.Client, error) { return csync.Dial(ctx, d) }
	}
	if report == nil {
		report = silent{}
	}
	return &Client{
		site:        s,
		opt:         o,
		dial:        dial,
		report:      report,
		reader:      newReader(s),
		sieve:       sievedir.New(sievedir.OptionsFrom(s.Config), s.Ops),
		cache:       openCache(o.CacheKind, o.CachePath),
		locks:       userLocks{layout: s.Layout, host: o.Dial.Addr, noWait: o.NoWait, none: o.Moving},
		bytes:       newBudget(o.Bytes),
		stop:        stop,
		slowAfter:   slowAfter,
		verifyPause: verifyPause,
		connecting:  make(chan struct{}, 1),
	}, nil
}

func newReader(s *site.Site) *syncstate.Reader {
	return &syncstate.Reader{Mailboxes: s.Mailboxes, Annotations: s.Annotations}
}

// Close takes leave of the replica.
func (c *Client) Close(ctx context.Context) {
	c.disconnect(ctx)
	c.cache.close()
}

// disconnect ends the present session, after what is under way in it.
func (c *Client) disconnect(ctx context.Context) {
	c.connecting <- struct{}{}
	defer func() { <-c.connecting }()
	if s := c.current; s != nil {
		c.current = nil
		s.leave(ctx)
	}
}

// firstWait is how long is waited after the first failure to connect; it doubles.
const firstWait = 15 * time.Second

// session is the present session, or a new one: for that it tries until it succeeds,
// waiting longer each time. The error is ErrConnect, ErrCompression or ctx's.
func (c *Client) session(ctx context.Context) (*session, error) {
	select {
	case c.connecting <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-c.connecting }()
	if s := c.current; s != nil && s.c.Err() == nil {
		return s, nil
	}
	if c.hopeless != nil {
		return nil, c.hopeless
	}
	if c.current != nil {
		c.current.c.Close()
		c.current = nil
	}
	for wait := firstWait; ; wait *= 2 {
		s, err := c.connect(ctx)
		if errors.Is(err, ErrCompression) {
			c.hopeless = err
		}
		if err == nil || c.hopeless != nil || ctx.Err() != nil {
			c.current = s
			return s, err
		}
		log.Err("Can not connect to server '%s': %v", c.opt.Dial.Addr, err)
		if c.opt.ConnectOnce {
			c.report.Complain(fmt.Sprintf("Can not connect to server '%s'", c.opt.Dial.Addr))
			c.hopeless = fmt.Errorf("%w: %w", ErrConnect, err)
			return nil, c.hopeless
		}
		if c.opt.MaxWait > 0 {
			wait = min(wait, c.opt.MaxWait)
		}
		c.report.Complain(fmt.Sprintf("Can not connect to server '%s', retrying in %d seconds",
			c.opt.Dial.Addr, wait/time.Second))
		if !c.pause(ctx, wait) {
			return nil, fmt.Errorf("%w: %w", ErrConnect, err)
		}
	}
}

func (c *Client) connect(ctx context.Context) (*session, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(conn)
	c.cache.renew()
	if c.opt.NeedCompression && !conn.Compressed() {
		s.leave(ctx)
		c.report.Complain(fmt.Sprintf("Failed to enable compression to server '%s'", c.opt.Dial.Addr))
		log.Err("Failed to enable compression to server '%s': %v", c.opt.Dial.Addr, conn.CompressErr())
		return nil, ErrCompression
	}
	if conn.SieveMailbox() {
		c.progress("ENABLE %s", enabled(conn))
	}
	if c.opt.NoCopyBack {
		if err := s.apply(ctx, "FORCE", csync.Empty()); err != nil {
			s.leave(ctx)
			return nil, err
		}
	}
	return s, nil
}

// enabled are the capabilities in use as Cyrus prints them.
func enabled(c *csync.Client) string {
	if c.Archive() {
		return "0x1800"
	}
	return "0x800"
}

func (c *Client) progress(format string, args ...any) {
	c.report.Progress(fmt.Sprintf(format, args...))
}

// pause waits; false is the end of all waiting.
func (c *Client) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-c.stop:
	}
	return false
}

func (c *Client) stopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// maxTries is how often something is begun again on a new connection. What was under
// way when a connection broke is tried alone after that: if it is what the replica
// dies of, nobody else dies with it.
const maxTries = 3

// do runs fn on a session, again on another when the connection is lost.
func (c *Client) do(ctx context.Context, fn func(context.Context, *session) error) error {
	for try := 1; ; try++ {
		s, err := c.session(ctx)
		if err != nil {
			return err
		}
		err = s.work(ctx, try > 1, fn)
		if err == nil || s.c.Err() == nil || try == maxTries || c.stopping() || ctx.Err() != nil {
			return err
		}
		log.Notice("connection to %s lost: %v", c.opt.Dial.Addr, err)
	}
}
