// Package backend is a session with another server of the site, Cyrus's or
// ours: greeting, capabilities, TLS, SASL and compression, in each of the
// protocols Cyrus speaks. What is said after that is the caller's.
package backend

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"

	"gocyrus/lib/tlsconf"
)

// maxLine bounds a line of the server, in octets.
const maxLine = 1 << 20

// maxCapaLines bounds a list of capabilities.
const maxCapaLines = 1000

var (
	// ErrRefused is the error of a server that answered NO to us.
	ErrRefused = errors.New("refused by the server")
	// ErrProtocol is the error of a server that says what we do not understand.
	ErrProtocol = errors.New("unexpected answer")
	// ErrLine is the error of a line without end.
	ErrLine = errors.New("line too long")
)

// Tracer hears each line of the dialogue up to the end of authentication. who
// is 'S' or 'C'; a line has no line end.
type Tracer func(who byte, line string)

// Conn is the session. It serves one goroutine.
type Conn struct {
	Proto    *Protocol
	Caps     Caps
	Greeting string // the line of it that says who the server is, once read
	Session  string // the server's id of the session, where its answer to the login told it

	net     net.Conn // as dialled
	tls     *tls.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	trace   Tracer
	timeout time.Duration
	hello   string

	compressed bool
}

// Options are how to connect.
type Options struct {
	Timeout time.Duration // for each wait; 0 for none
	TLS     *tls.Config   // for STARTTLS and TLS from the start
	Wrapped bool          // TLS from the first octet
	Trace   Tracer        // may be nil
	Bind    string        // see BindName
	Hello   string        // our name in LHLO and EHLO; empty for that of the test programs
}

// Dial connects to host and port, or to a unix socket when addr begins with a
// slash, and reads greeting and capabilities.
func Dial(ctx context.Context, p *Protocol, addr string, o Options) (*Conn, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	nc, err := DialFrom(ctx, o.Bind, network, addr, o.Timeout)
	if err != nil {
		return nil, err
	}
	c, err := New(ctx, p, nc, o)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// New makes a session of a connection that is there. The caller closes it when
// New fails.
func New(ctx context.Context, p *Protocol, nc net.Conn, o Options) (*Conn, error) {
	c := Bare(p, nc, o)
	if o.Wrapped {
		if err := c.handshake(ctx, o.TLS); err != nil {
			return nil, err
		}
	}
	if err := c.Greet(); err != nil {
		return nil, err
	}
	return c, nil
}

// Bare makes a session without saying or reading anything yet.
func Bare(p *Protocol, nc net.Conn, o Options) *Conn {
	c := &Conn{Proto: p, net: nc, trace: o.Trace, timeout: o.Timeout, hello: o.Hello}
	if c.trace == nil {
		c.trace = func(byte, string) {}
	}
	c.layer(nc, nc)
	return c
}

func (c *Conn) layer(r io.Reader, w io.Writer) {
	c.r, c.w = bufio.NewReaderSize(r, 16<<10), bufio.NewWriterSize(w, 16<<10)
}

// ReadLine reads a line without its end.
func (c *Conn) ReadLine() (string, error) {
	c.deadline()
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		case len(line) > maxLine:
			return "", ErrLine
		}
	}
}

// WriteLine sends a line; the end is added.
func (c *Conn) WriteLine(line string) error {
	c.deadline()
	c.w.WriteString(line)
	c.w.WriteString("\r\n")
	return c.Flush()
}

// Reader is the stream from the server, TLS and compression undone.
func (c *Conn) Reader() *bufio.Reader { return c.r }

// Writer is the stream to the server; Flush sends what it holds.
func (c *Conn) Writer() *bufio.Writer { return c.w }

// Flush sends what has been written.
func (c *Conn) Flush() error {
	return c.w.Flush()
}

func (c *Conn) deadline() {
	if c.timeout > 0 {
		c.net.SetDeadline(time.Now().Add(c.timeout))
	}
}

// Say sends a line and tells the tracer, with shown in its place when that is
// not empty.
func (c *Conn) Say(line, shown string) error {
	if shown == "" {
		shown = line
	}
	c.trace('C', shown)
	return c.WriteLine(line)
}

// Hear reads a line and tells the tracer.
func (c *Conn) Hear() (string, error) {
	line, err := c.ReadLine()
	if err == nil {
		c.trace('S', line)
	}
	return line, err
}

// ask sends a command and reads up to its answer. The error is ErrRefused with
// the answer when that is not good.
func (c *Conn) ask(cmd command) (string, error) {
	if err := c.Say(cmd.line, ""); err != nil {
		return "", err
	}
	for range maxCapaLines {
		line, err := c.Hear()
		switch {
		case err != nil:
			return "", err
		case hasPrefix(line, cmd.ok):
			return line, nil
		case cmd.no != "" && hasPrefix(line, cmd.no), hasPrefix(line, "S01 BAD"), hasPrefix(line, "Z01 BAD"):
			return line, fmt.Errorf("%w: %s", ErrRefused, line)
		}
	}
	return "", ErrProtocol
}

// hasPrefix ignores case, as the protocols do.
func hasPrefix(line, prefix string) bool {
	return len(line) >= len(prefix) && strings.EqualFold(line[:len(prefix)], prefix)
}

// StartTLS begins TLS and asks for the capabilities again, which may have
// changed (and cannot be believed from before).
func (c *Conn) StartTLS(ctx context.Context, conf *tls.Config) error {
	if _, err := c.ask(c.Proto.startTLS); err != nil {
		return err
	}
	if c.r.Buffered() > 0 {
		return fmt.Errorf("%w: octets before TLS", ErrProtocol) // somebody put them there
	}
	if err := c.handshake(ctx, conf); err != nil {
		return err
	}
	if c.Proto.autoCaps {
		return c.readCaps()
	}
	return c.AskCaps()
}

func (c *Conn) handshake(ctx context.Context, conf *tls.Config) error {
	c.deadline()
	t := tls.Client(c.net, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.tls = t
	c.layer(t, t)
	return nil
}

// TLS returns the state of TLS, nil without.
func (c *Conn) TLS() *tls.ConnectionState {
	if c.tls == nil {
		return nil
	}
	cs := c.tls.ConnectionState()
	return &cs
}

// Bindings returns the channel bindings of TLS.
func (c *Conn) Bindings() []tlsconf.Binding {
	cs := c.TLS()
	if cs == nil || len(cs.PeerCertificates) == 0 {
		return nil
	}
	return tlsconf.Bindings(cs, cs.PeerCertificates[0])
}

// Compress turns compression on (RFC 4978).
func (c *Conn) Compress() error {
	if _, err := c.ask(c.Proto.compress); err != nil {
		return err
	}
	fw, err := flate.NewWriter(c.w, flate.BestSpeed)
	if err != nil {
		return err
	}
	under := c.w
	c.r = bufio.NewReaderSize(flate.NewReader(c.r), 16<<10)
	c.w = bufio.NewWriterSize(flushWriter{fw, under}, 16<<10)
	c.compressed = true
	return nil
}

// flushWriter brings what was compressed to the wire whenever the buffer above
// is flushed.
type flushWriter struct {
	*flate.Writer
	under *bufio.Writer
}

func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.Writer.Flush()
	}
	if err == nil {
		err = f.under.Flush()
	}
	return n, err
}

// Close ends the connection without a word.
func (c *Conn) Close() error { return c.net.Close() }

// Logout says goodbye, waits for the answer and closes.
func (c *Conn) Logout() error {
	_, err := c.ask(c.Proto.logout)
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// SayLogout says goodbye and waits for nothing.
func (c *Conn) SayLogout() error { return c.Say(c.Proto.logout.line, "") }

// SetTimeout bounds each later wait; 0 for none.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// NetConn is the connection as dialled.
func (c *Conn) NetConn() net.Conn { return c.net }

// Compressed says whether compression is on.
func (c *Conn) Compressed() bool { return c.compressed }
