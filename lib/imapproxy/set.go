package imapproxy

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/log"
	"gocyrus/lib/proxy"
)

const (
	// keep is how long a connection is kept that nothing is selected on.
	keep = 5 * time.Minute
	// trusted is for how long after its use a connection is believed to be there if
	// the system knows nothing else; after that it is asked.
	trusted = 30 * time.Second
	// goodbye is how long saying it may take.
	goodbye = 2 * time.Second
)

// Set is the connections of one client's session: one to each server. It serves
// one goroutine, or several that use different servers.
type Set struct {
	opts  *proxy.Options
	ctx   context.Context
	user  string
	limit time.Duration
	tags  atomic.Int64
	audit func(server string, c *backend.Conn)

	mu    sync.Mutex // for what a timer does
	conns map[string]*Conn
	shut  bool
}

// NewSet is for the session of user, which ends with ctx. A backend may be silent
// for at most limit while it is waited for: dead machines are noticed before, by
// TCP. audit, when set, hears of each connection.
func NewSet(ctx context.Context, o *proxy.Options, user string, limit time.Duration, audit func(server string, c *backend.Conn)) *Set {
	return &Set{opts: o, ctx: ctx, user: user, limit: limit, audit: audit, conns: map[string]*Conn{}}
}

// Tag is a new tag, for a command that the client did not send.
func (s *Set) Tag() string {
	return "PROXY" + strconv.FormatInt(s.tags.Add(1)-1, 10)
}

// Get returns the connection to a server, held until Put: the one that is there if
// it still answers, or a new one. The error is proxy.ErrUnavailable.
func (s *Set) Get(server string) (*Conn, error) {
	s.mu.Lock()
	c := s.conns[server]
	held := c != nil && c.held
	if c != nil {
		c.held = true
		if c.idle != nil {
			c.idle.Stop()
		}
	}
	s.mu.Unlock()
	if c != nil {
		if held && c.err == nil || c.alive() {
			return c, nil
		}
		s.drop(c)
	}
	b, err := s.opts.Dial(s.ctx, backend.IMAP, server, s.user)
	if err != nil {
		log.Err("couldn't authenticate to backend server: %v", err)
		return nil, err
	}
	if s.audit != nil {
		s.audit(server, b)
	}
	c = newConn(server, b, s.limit)
	c.held = true
	context.AfterFunc(s.ctx, func() { c.nc.Close() })
	if s.opts.Unified {
		if err := s.introduce(c); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", server, proxy.ErrUnavailable, err)
		}
	}
	s.mu.Lock()
	s.conns[server] = c
	s.mu.Unlock()
	return c, nil
}

// RelayField is the field of ID (RFC 2971) by which a server says that it continues a
// client's session. Where every server passes sessions on, two that each believe the
// other to have a mailbox would else pass one to and fro without end.
const RelayField = "x-gocyrus-relay"

// introduce says that the session is a client's of this server.
func (s *Set) introduce(c *Conn) error {
	limit := c.limit
	defer func() { c.limit = limit }()
	c.limit = min(limit, aliveLimit)
	if err := c.Send("I01", `ID ("name" "gocyrus" "`+RelayField+`" "1")`); err != nil {
		return err
	}
	_, err := c.Answer("I01", nil)
	return err
}

// Put gives a connection back. It is closed when it stays unused.
func (s *Set) Put(c *Conn) {
	if c.err != nil {
		s.drop(c)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.held = false
	if c.idle == nil {
		c.idle = time.AfterFunc(keep, func() { s.expire(c) })
	} else {
		c.idle.Reset(keep)
	}
}

// expire closes a connection that was not used for long.
func (s *Set) expire(c *Conn) {
	s.mu.Lock()
	mine := !c.held && !s.shut && s.conns[c.Server] == c
	if mine {
		delete(s.conns, c.Server)
	}
	s.mu.Unlock()
	if mine {
		c.leave()
	}
}

// leave says goodbye and does not wait for an answer.
func (c *Conn) leave() {
	c.nc.SetDeadline(time.Now().Add(goodbye))
	c.b.SayLogout()
	c.nc.Close()
}

// drop forgets a connection that is of no use.
func (s *Set) drop(c *Conn) {
	s.mu.Lock()
	if s.conns[c.Server] == c {
		delete(s.conns, c.Server)
	}
	if c.idle != nil {
		c.idle.Stop()
	}
	s.mu.Unlock()
	c.nc.Close()
}

// Drop closes a connection, as what was sent on it must not take effect.
func (s *Set) Drop(c *Conn) {
	c.fail(errDropped)
	s.drop(c)
}

// Close takes leave of all servers.
func (s *Set) Close() {
	s.mu.Lock()
	conns := s.conns
	s.conns, s.shut = map[string]*Conn{}, true
	s.mu.Unlock()
	for _, c := range conns {
		if c.idle != nil {
			c.idle.Stop()
		}
		if c.err == nil {
			c.leave()
		}
	}
}

// alive says whether the connection can be used: one that was not for a while is
// asked.
func (c *Conn) alive() bool {
	if c.err != nil {
		return false
	}
	quiet, open := c.silent()
	if !open {
		return false
	}
	if quiet && time.Since(c.wrote) < trusted {
		return true
	}
	limit := c.limit
	defer func() { c.limit = limit }()
	c.limit = min(limit, aliveLimit)
	if c.Send("N01", "NOOP") != nil {
		return false
	}
	reply, err := c.Answer("N01", nil)
	return err == nil && reply.OK()
}

// aliveLimit is how long a connection may take to prove that it is alive.
const aliveLimit = 10 * time.Second

// silent looks at the socket without waiting: whether nothing has come, and
// whether it is open.
func (c *Conn) silent() (quiet, open bool) {
	sock, ok := c.nc.(syscall.Conn)
	if !ok || c.r.Buffered() > 0 {
		return false, true
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return false, false
	}
	open = true
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN:
			quiet = true
		case err != nil || n == 0:
			open = false
		}
	})
	return quiet, open && err == nil
}

// Gone says whether the backend has ended the session, as far as the system knows.
// It does not wait.
func (c *Conn) Gone() bool {
	quiet, open := c.silent()
	if quiet || !open {
		return !open
	}
	// Between two commands a backend says nothing, but goodbye.
	head, _ := c.r.Peek(min(max(c.r.Buffered(), 1), 6))
	if len(head) == 1 {
		head, _ = c.r.Peek(min(c.r.Buffered(), 6))
	}
	return len(head) < 6 || isBye(head)
}
