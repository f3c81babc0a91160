package prot

import (
	"net"
	"time"
)

// Write gathers p. The error is that of an earlier write to the socket.
func (c *Conn) Write(p []byte) (int, error) {
	if c.wbuf == nil {
		c.wbuf = getWrite()
	}
	c.wbuf = append(c.wbuf, p...)
	return len(p), c.grown()
}

// WriteString gathers s.
func (c *Conn) WriteString(s string) (int, error) {
	if c.wbuf == nil {
		c.wbuf = getWrite()
	}
	c.wbuf = append(c.wbuf, s...)
	return len(s), c.grown()
}

// Scratch hands out the gathered output for appending; the caller gives the
// result to Commit and touches neither afterwards.
func (c *Conn) Scratch() []byte {
	if c.wbuf == nil {
		c.wbuf = getWrite()
	}
	return c.wbuf
}

// Commit takes back what Scratch handed out, with output appended.
func (c *Conn) Commit(b []byte) error {
	c.wbuf = b
	return c.grown()
}

func (c *Conn) grown() error {
	if c.werr == nil && len(c.wbuf) >= flushSize {
		return c.Flush()
	}
	return c.werr
}

// WriteLarge writes p, which may be a mapped file, without copying it when the
// connection is plain and p is large: it leaves together with what was gathered
// in one writev. p is not used after the return.
func (c *Conn) WriteLarge(p []byte) error {
	if len(p) < flushSize/4 || c.z != nil || c.tls != nil {
		_, err := c.Write(p)
		return err
	}
	if c.werr != nil {
		return c.werr
	}
	c.sent(c.wbuf)
	c.sent(p)
	bufs := net.Buffers{p}
	if len(c.wbuf) > 0 {
		bufs = net.Buffers{c.wbuf, p}
	}
	c.writeDeadline()
	if _, err := bufs.WriteTo(c.sock); err != nil {
		c.werr = timeoutError(err)
	}
	c.wbuf = c.wbuf[:0]
	return c.werr
}

// Flush writes what was gathered.
func (c *Conn) Flush() error {
	if c.werr != nil || len(c.wbuf) == 0 {
		c.releaseWrite()
		return c.werr
	}
	c.sent(c.wbuf)
	c.writeDeadline()
	var err error
	if c.z != nil {
		err = c.z.write(c.wbuf)
	} else {
		_, err = c.layer.Write(c.wbuf)
	}
	if err != nil {
		c.werr = timeoutError(err)
	}
	c.wbuf = c.wbuf[:0]
	c.releaseWrite()
	return c.werr
}

func (c *Conn) writeDeadline() {
	var at time.Time
	if c.timeout > 0 {
		at = time.Now().Add(c.timeout)
	}
	c.sock.SetWriteDeadline(at)
}

func (c *Conn) sent(p []byte) {
	c.out.Add(int64(len(p)))
	if c.copy != nil && len(p) > 0 {
		c.copy.record('>', p)
	}
}

func (c *Conn) releaseWrite() {
	if c.wbuf != nil {
		putWrite(c.wbuf)
		c.wbuf = nil
	}
}
