package idle

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// Server is idled: it remembers which process watches what and passes changes
// on. Clients of 3.10 and of ours name mailboxes by unique id, those of 3.6 by
// name; the two kinds do not hear of each other.
type Server struct {
	path string
	conn *net.UnixConn

	clients map[string]*client // by the path of their sockets
	keys    map[string]map[*client]struct{}
	late    map[*client]struct{} // with something pending

	Debug bool // log every datagram
}

// client is a process that watches.
type client struct {
	addr    *unix.SockaddrUnix
	pid     int
	binary  bool
	keys    map[string]struct{}
	pending map[string][]byte // datagrams that found its queue full, by key
	since   time.Time         // of the oldest
}

const (
	// retryInterval is how soon a full queue is tried again.
	retryInterval = 10 * time.Millisecond
	// patience is how long a client may leave its queue full.
	patience = 30 * time.Second
	// maxClientKeys bounds what one process may watch.
	maxClientKeys = 1 << 20
)

// Listen binds idled's socket, replacing a dead one.
func Listen(path string) (*Server, error) {
	conn, err := bind(path)
	if err != nil {
		return nil, err
	}
	s := &Server{
		path: path, conn: conn,
		clients: map[string]*client{}, keys: map[string]map[*client]struct{}{}, late: map[*client]struct{}{},
	}
	return s, nil
}

// Serve passes datagrams on until ctx is cancelled; then every client is
// alerted and the socket removed. alert is asked once a second: true means
// that clients should look at msg/shutdown, and is acted on once.
func (s *Server) Serve(ctx context.Context, alert func() bool) error {
	stop := context.AfterFunc(ctx, func() { s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, maxDatagram)
	alerted := false
	lastLook := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(lastLook) >= time.Second {
			lastLook = now
			on := alert()
			if on && !alerted {
				s.alertAll("shutdown file present")
			}
			alerted = on
		}
		s.retry(now)
		wait := time.Second
		if len(s.late) > 0 {
			wait = retryInterval
		}
		s.conn.SetReadDeadline(now.Add(wait))
		if ctx.Err() != nil {
			break
		}
		n, from, err := s.conn.ReadFromUnix(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return err
		case from == nil || from.Name == "":
			log.Err("IDLE: message from a socket without a name")
		default:
			s.take(from.Name, append([]byte(nil), buf[:n]...))
		}
	}
	s.alertAll("idled shutting down")
	s.conn.Close()
	os.Remove(s.path)
	return nil
}

// take deals with one datagram.
func (s *Server) take(from string, b []byte) {
	d, err := parse(b)
	if err != nil {
		log.Err("IDLE: %v", err)
		return
	}
	if s.Debug {
		log.Debug("idle %s from=<%s> pid=<%d> filter=<%d> keys=%q", kindNames[d.kind], from, d.pid, d.filter, d.keys)
	}
	switch d.kind {
	case kindStart:
		s.start(from, d)
	case kindStop:
		s.stop(from, d)
	case kindNotify:
		for _, key := range d.keys {
			s.notify(from, key, d)
		}
	case kindNoop, kindAlert:
	}
}

func (s *Server) start(from string, d datagram) {
	if d.filter != filterSelected {
		return // NOTIFY's filters ask for what only a look at mailboxes.db could answer
	}
	c := s.clients[from]
	if c == nil {
		c = &client{
			addr: &unix.SockaddrUnix{Name: from}, pid: d.pid, binary: d.binary,
			keys: map[string]struct{}{}, pending: map[string][]byte{},
		}
		s.clients[from] = c
	}
	if !d.more {
		s.dropKeys(c)
	}
	for _, key := range d.keys {
		if len(c.keys) >= maxClientKeys {
			break
		}
		key = tagged(key, c.binary)
		c.keys[key] = struct{}{}
		set := s.keys[key]
		if set == nil {
			set = map[*client]struct{}{}
			s.keys[key] = set
		}
		set[c] = struct{}{}
	}
}

// tagged keeps 3.6's names and unique ids apart in one table.
func tagged(key string, binary bool) string {
	if binary {
		return "\x00" + key
	}
	return key
}

// stop ends the watch of some keys, or of the whole client when it names none.
func (s *Server) stop(from string, d datagram) {
	c := s.clients[from]
	if c == nil {
		return
	}
	if len(d.keys) == 0 || d.binary {
		s.drop(c)
		return
	}
	for _, key := range d.keys {
		s.dropKey(c, key)
	}
}

func (s *Server) drop(c *client) {
	s.dropKeys(c)
	delete(s.clients, c.addr.Name)
	delete(s.late, c)
}

func (s *Server) dropKeys(c *client) {
	for key := range c.keys {
		s.dropKey(c, key)
	}
}

func (s *Server) dropKey(c *client, key string) {
	delete(c.keys, key)
	set := s.keys[key]
	delete(set, c)
	if len(set) == 0 {
		delete(s.keys, key)
	}
}

// notify passes a change on to who watches it, but not back to who made it.
func (s *Server) notify(from, key string, d datagram) {
	for c := range s.keys[tagged(key, d.binary)] {
		if c.addr.Name != from {
			s.send(c, key, d.raw)
		}
	}
}

func (s *Server) alertAll(text string) {
	json, old := packAlert(os.Getpid(), text), packBinary(kindAlert, ".")
	for _, c := range s.clients {
		if c.binary {
			s.send(c, "", old)
		} else {
			s.send(c, "", json)
		}
	}
}

// send does not wait: what finds a full queue is kept, once per key.
func (s *Server) send(c *client, key string, b []byte) {
	if len(c.pending) == 0 {
		switch err := s.try(c, b); {
		case err == nil:
			return
		case !full(err):
			s.lost(c, err)
			return
		}
		c.since = time.Now()
	}
	c.pending[key] = b
	s.late[c] = struct{}{}
}

func (s *Server) try(c *client, b []byte) error {
	var sendErr error
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	// From our own socket: clients may look who speaks.
	err = raw.Control(func(fd uintptr) {
		sendErr = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, c.addr)
	})
	return errors.Join(err, sendErr)
}

func full(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EINTR)
}

// retry tries what is pending again.
func (s *Server) retry(now time.Time) {
	for c := range s.late {
		s.retryClient(c, now)
	}
}

func (s *Server) retryClient(c *client, now time.Time) {
	for key, b := range c.pending {
		err := s.try(c, b)
		switch {
		case err == nil:
			delete(c.pending, key)
			c.since = now
		case full(err) && now.Sub(c.since) < patience:
			return
		default:
			s.lost(c, err)
			return
		}
	}
	delete(s.late, c)
}

// lost forgets a client that cannot be reached. One whose socket is gone has
// ended in good order.
func (s *Server) lost(c *client, err error) {
	if !gone(err) {
		log.Err("IDLE: error sending message NOTIFY to imapd %s: %v, forgetting.", c.addr.Name, err)
	}
	s.drop(c)
}
