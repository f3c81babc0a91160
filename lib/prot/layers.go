package prot

import (
	"context"
	"crypto/tls"
	"time"
)

// StartTLS makes the stream a TLS server's from here on: it does the handshake,
// for at most limit. Nothing may be buffered: see ErrPlaintext.
func (c *Conn) StartTLS(ctx context.Context, conf *tls.Config, limit time.Duration) error {
	if err := c.Flush(); err != nil {
		return err
	}
	if c.Buffered() > 0 {
		return ErrPlaintext
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.sock.SetDeadline(time.Time{})
	t := tls.Server(c.sock, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.layer, c.tls = t, t
	return nil
}

// TLS is the state of the TLS layer, nil when there is none.
func (c *Conn) TLS() *tls.ConnectionState {
	if c.tls == nil {
		return nil
	}
	s := c.tls.ConnectionState()
	return &s
}

// DropInput forgets what the peer has sent and was not read.
func (c *Conn) DropInput() {
	c.rpos = c.rend
	c.release()
}

// StartDeflate compresses both directions from here on (RFC 4978). Octets
// already read after the command are the first of the compressed stream.
func (c *Conn) StartDeflate() error {
	if err := c.Flush(); err != nil {
		return err
	}
	ahead := append([]byte(nil), c.rbuf[c.rpos:c.rend]...)
	c.DropInput()
	c.in.Add(-int64(len(ahead)))
	c.z = newDeflate(c, ahead)
	return nil
}

// Compressed says whether DEFLATE is on.
func (c *Conn) Compressed() bool { return c.z != nil }

// EndDeflate ends the compression of both directions, as UNAUTHENTICATE does
// (RFC 8437 section 2).
func (c *Conn) EndDeflate() error {
	if err := c.Flush(); err != nil || c.z == nil {
		return err
	}
	rest := append(c.z.raw[c.z.pos:c.z.end:c.z.end], c.z.ahead...)
	c.z = nil
	if len(rest) > 0 && c.rpos == c.rend && len(rest) <= readSize {
		c.rbuf = getRead()
		c.rpos, c.rend = 0, copy(c.rbuf, rest)
		c.received(rest)
	}
	return nil
}
