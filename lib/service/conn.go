package service

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// lastWrite is how long a session that was told to end may take to get its
// last octets to the client: a client that reads nothing must not keep the
// server from stopping.
const lastWrite = 60 * time.Second

// conn is a client's connection. After interrupt reads fail whatever deadline
// its user sets, so that no session waits for a client once it is to end.
type conn struct {
	net.Conn

	mu          sync.Mutex
	interrupted bool
}

// errEnding is the error of a read after interrupt. It is a net.Error, as a
// connection that breaks gives, and no timeout: who reads again after a timeout
// must not do so for ever.
var errEnding net.Error = ending{}

type ending struct{}

func (ending) Error() string   { return "session is to end" }
func (ending) Timeout() bool   { return false }
func (ending) Temporary() bool { return false }

func newConn(c net.Conn) *conn { return &conn{Conn: c} }

// NetConn returns the connection below, for what only a *net.TCPConn or
// *net.UnixConn can do. Its deadlines are not guarded.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
	c.Conn.SetWriteDeadline(time.Now().Add(lastWrite))
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.isInterrupted() {
		err = errEnding
	}
	return n, err
}

func (c *conn) isInterrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupted
}

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error { return c.set(c.Conn.SetReadDeadline, t) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.set(c.Conn.SetWriteDeadline, t) }

func (c *conn) set(f func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return nil
	}
	return f(t)
}

// WriteBuffers writes all of v with as few system calls as the connection
// allows (writev), and empties v.
func (c *conn) WriteBuffers(v *net.Buffers) (int64, error) { return v.WriteTo(c.Conn) }

// ReadFrom lets io.Copy of a file use sendfile.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}
