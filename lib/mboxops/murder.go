package mboxops

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
)

// The errors of a change that the mupdate master has to agree to. Then nothing
// has changed.
var (
	// ErrNoMaster is the error of a master that cannot be reached.
	ErrNoMaster = errors.New("no connection to server")
	// ErrReserved is the error of a name that another server has.
	ErrReserved = errors.New("unable to reserve mailbox on mupdate server")
	// ErrMasterFailed is the error of a master that refuses anything else.
	ErrMasterFailed = errors.New("the mupdate operation failed")
	// ErrNoMurder is the error of a server that takes part in no murder.
	ErrNoMurder = errors.New("not a backend of a murder")
)

// MurderOptions are what a backend has to know of its murder.
type MurderOptions struct {
	Client  mupdate.Options
	Server  string        // servername: who we are, in locations
	Unified bool          // every server is a frontend too
	Notes   string        // directory of the notes of what the master is to be told
	Retry   time.Duration // mupdate_retry_delay: between two attempts to tell it
	Idle    time.Duration // how long a connection is kept that nobody uses
}

// idleConnection is a minute, for the master has room for few connections
// (mupdate_connections_max).
const idleConnection = time.Minute

// defaultTimeout bounds each answer where client_timeout does not.
const defaultTimeout = 10 * time.Second

// MurderOptionsFrom reads the settings. It is nil for a server that is no backend
// of a murder: as in Cyrus one with mupdate_server, and, unless every server of the
// murder is a frontend too, proxyservers.
func MurderOptionsFrom(cfg *config.Config) *MurderOptions {
	kind := cfg.Enum("mupdate_config")
	if !cfg.IsSet("mupdate_server") || kind == "standard" && !cfg.IsSet("proxyservers") {
		return nil
	}
	o := &MurderOptions{
		Client: mupdate.OptionsFrom(cfg), Server: serverName(cfg),
		Unified: kind == "unified",
		Notes:   filepath.Join(cfg.Dir(), "inflight.mupdate"), Idle: idleConnection,
	}
	o.Retry = max(o.Client.RetryDelay, time.Second)
	return o
}

func serverName(cfg *config.Config) string {
	if name := cfg.Str("servername"); name != "" {
		return name
	}
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "localhost"
}

// Murder is a backend's way to the mupdate master, for all of a process: one
// connection, which is kept for a while, and notes of what the master has yet to
// be told. Its methods may be called from many goroutines.
type Murder struct {
	opt   MurderOptions
	notes *inflight.Log

	turn   chan struct{} // has a token while nobody uses what follows
	client *mupdate.Client
	used   time.Time   // when the client was last used
	unused *time.Timer // ends the connection
	failed time.Time   // when nothing could be connected to

	mu     sync.Mutex
	owed   map[string]*inflight.Note // by text
	paying bool                      // a goroutine sees to them
	stop   context.CancelFunc
	ctx    context.Context
	all    sync.WaitGroup
}

// NewMurder connects to nothing yet. It is nil for nil.
func NewMurder(o *MurderOptions) *Murder {
	if o == nil {
		return nil
	}
	m := &Murder{opt: *o, notes: inflight.New(o.Notes), turn: make(chan struct{}, 1), owed: map[string]*inflight.Note{}}
	if m.opt.Client.Timeout <= 0 {
		m.opt.Client.Timeout = defaultTimeout
	}
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.unused = time.AfterFunc(m.opt.Idle, m.expire)
	m.turn <- struct{}{}
	return m
}

// Close ends the connection. What the master has not been told is found by the
// process that comes next.
func (m *Murder) Close() error {
	if m == nil {
		return nil
	}
	m.stop()
	m.unused.Stop()
	m.all.Wait()
	<-m.turn // kept: nobody connects any more
	if m.client != nil {
		m.client.Close()
	}
	return m.notes.Close()
}

// location is where the master has a mailbox of a partition of ours.
func (m *Murder) location(partition string) string {
	return mupdate.Location(m.opt.Server, partition)
}

// has says whether the master's entry is of this server.
func (m *Murder) has(e *mupdate.Entry) bool {
	server, _, _ := mupdate.SplitLocation(e.Location)
	return e.State != mupdate.Absent && server == m.opt.Server
}

// do runs fn with a connection to the master. When it breaks, for a master that was
// restarted says nothing to anybody, fn is run once more on a fresh one: it is to
// be such that doing it twice is as doing it once. Each attempt, and the wait for
// others that use the connection, is bounded.
func (m *Murder) do(ctx context.Context, fn func(context.Context, *mupdate.Client) error) error {
	asked := time.Now()
	if err := m.take(ctx); err != nil {
		return &masterError{is: ErrNoMaster, text: err.Error()}
	}
	defer func() { m.turn <- struct{}{} }()
	if m.failed.After(asked) {
		// Whoever was before us has waited for it in vain.
		return &masterError{is: ErrNoMaster, text: "not tried again"}
	}
	err := asError(m.once(ctx, fn))
	if !unsure(err) || ctx.Err() != nil {
		return err
	}
	log.Info("MUPDATE: lost connection, retrying: %v", err)
	again := asError(m.once(ctx, fn))
	if errors.Is(again, ErrNoMaster) {
		return err // that something was lost stays known
	}
	return again
}

// take waits for the connection.
func (m *Murder) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*m.opt.Client.Timeout)
	defer cancel()
	select {
	case <-m.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
}

// once is one attempt.
func (m *Murder) once(ctx context.Context, fn func(context.Context, *mupdate.Client) error) error {
	if m.client == nil {
		c, err := m.connect(ctx)
		if err != nil {
			m.failed = time.Now()
			return err
		}
		m.client = c
	}
	ctx, cancel := context.WithTimeout(ctx, m.opt.Client.Timeout)
	defer cancel()
	err := fn(ctx, m.client)
	var lost *mupdate.ConnError
	if errors.As(err, &lost) {
		m.client.Close()
		m.client = nil
		return err
	}
	m.keep()
	return err
}

// keep has the connection closed once it has not been used for a while.
func (m *Murder) keep() {
	m.used = time.Now()
	m.unused.Reset(m.opt.Idle)
}

func (m *Murder) expire() {
	select {
	case <-m.turn:
	default: // in use
		if m.ctx.Err() == nil {
			m.unused.Reset(m.opt.Idle)
		}
		return
	}
	defer func() { m.turn <- struct{}{} }()
	if m.client != nil && time.Since(m.used) >= m.opt.Idle {
		m.client.Close()
		m.client = nil
	}
}

// isAnswer says whether err is what a master said.
func isAnswer(err error) bool {
	return errors.Is(err, mupdate.ErrRefused) || errors.Is(err, mupdate.ErrNotFound) || errors.Is(err, mupdate.ErrLocation) || errors.Is(err, ErrReserved)
}

// masterError is an error of the way to the master. What happened there is text: a
// connection that broke is not that of a session here.
type masterError struct {
	is     error // one of those of this package
	text   string
	unsure bool // whether the master has done what it was told is not known
}

func (e *masterError) Error() string { return e.is.Error() + ": " + e.text }
func (e *masterError) Unwrap() error { return e.is }

// asError makes an error of the client one of this package. Others, of what is done
// here while the connection is held, it leaves as they are.
func asError(err error) error {
	var known *masterError
	var lost *mupdate.ConnError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &lost):
		return &masterError{ErrNoMaster, err.Error(), true}
	case errors.Is(err, ErrReserved):
		return &masterError{is: ErrReserved, text: err.Error()}
	case isAnswer(err):
		return &masterError{is: ErrMasterFailed, text: err.Error()}
	}
	return err
}

// connect connects to the master.
func (m *Murder) connect(ctx context.Context) (*mupdate.Client, error) {
	c, err := mupdate.Connect(ctx, m.opt.Client)
	if err != nil {
		log.Err("mupdate_connect failed: %v", err)
		return nil, &masterError{is: ErrNoMaster, text: err.Error()}
	}
	return c, nil
}

// unsure says whether err leaves it open what the master has done.
func unsure(err error) bool {
	var e *masterError
	return errors.As(err, &e) && e.unsure
}
