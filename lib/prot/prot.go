// Package prot is a buffered stream to one peer of a line protocol: octets in,
// octets out, with TLS and DEFLATE put underneath while the session runs, time
// limits, and a copy of both directions for telemetry.
//
// A connection that waits for its peer gives its buffers back: Wait holds
// neither a read nor a write buffer, so that ten thousand idle clients cost
// little more than their goroutines. What is written is gathered and leaves in
// one write when the answer is complete (Flush), or when it has grown large.
//
// The package knows no protocol: lines, words and literals are its callers'.
package prot

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

var (
	// ErrTimeout is the error of a peer that was silent, or did not read, for
	// longer than the limit that was set.
	ErrTimeout = errors.New("timeout")
	// ErrInterrupted is the error of a Wait that Interrupt ended.
	ErrInterrupted = errors.New("interrupted")
	// ErrLong is the error of a word, line or value over its bound.
	ErrLong = errors.New("too long")
	// ErrPlaintext is the error of octets sent ahead of a TLS handshake
	// (CVE-2011-0411): they would be taken for protected ones.
	ErrPlaintext = errors.New("plaintext sent ahead of TLS")
)

// Conn is one peer. A Conn is used by one goroutine; Interrupt and the
// counters may be called from any.
type Conn struct {
	sock  net.Conn // the socket
	layer net.Conn // the socket, or TLS on it
	tls   *tls.Conn
	z     *deflate // COMPRESS, nil when off

	rbuf []byte // octets read: rbuf[rpos:rend]; nil while idle
	rpos int
	rend int
	rec  record

	wbuf []byte // octets to write; nil while idle
	werr error  // the first write error; all later writes fail with it

	timeout time.Duration // of reads and writes; 0 = none
	copy    *telemetry

	interrupted atomic.Bool
	in, out     atomic.Int64
}

// New returns a stream on sock. No octet is read or written before it is asked
// for.
func New(sock net.Conn) *Conn { return &Conn{sock: sock, layer: sock} }

// SetTimeout bounds how long each later read may wait for the peer, and each
// write for the peer to take it. Zero is no limit.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// Socket is the connection as it was given, under all layers.
func (c *Conn) Socket() net.Conn { return c.sock }

// Counters say how many octets of the protocol, before compression and
// encryption, have been read and written.
func (c *Conn) Counters() (in, out int64) { return c.in.Load(), c.out.Load() }

// Interrupt makes a Wait that runs now, or the next one, return
// ErrInterrupted. Reads outside of Wait go on: a half-read command is never
// torn.
func (c *Conn) Interrupt() {
	c.interrupted.Store(true)
	c.sock.SetReadDeadline(past)
}

// past is a deadline that has gone by.
var past = time.Unix(1, 0)

// Close writes what is left, takes leave of a TLS peer and closes the socket.
func (c *Conn) Close() error {
	c.Flush()
	c.release()
	c.releaseWrite()
	c.StopTelemetry()
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.sock.Close()
}

// Abort closes the socket at once; what was not flushed is lost.
func (c *Conn) Abort() error {
	c.wbuf = c.wbuf[:0]
	c.werr = net.ErrClosed
	c.releaseWrite()
	c.StopTelemetry()
	return c.sock.Close()
}

// timeoutError turns the deadline errors of package net into ErrTimeout.
func timeoutError(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return ErrTimeout
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF // TLS without close_notify: mail clients leave like that
	}
	return err
}
