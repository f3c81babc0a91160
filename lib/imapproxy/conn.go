// Package imapproxy is a client's session continued on the backends of a murder:
// one connection to each that is needed, commands passed on as the client wrote
// them, and answers as the backend gives them. Literals of both ways are streamed;
// no message is ever kept.
//
// A [Set] has the connections of one session and serves its goroutine. What a
// command means, and which backend it is for, the package does not know.
package imapproxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/backend"
)

var (
	// ErrLost is the error of a backend that is gone in the middle of a session.
	ErrLost = errors.New("lost connection to the backend")
	// ErrTorn is ErrLost while an answer was being passed on: the client has a part
	// of it, and nothing can be said to it any more that it would understand.
	ErrTorn = fmt.Errorf("%w in the middle of an answer", ErrLost)
	// ErrProtocol is the error of an answer that is none.
	ErrProtocol = errors.New("unexpected answer of the backend")
)

// Conn is one connection. It serves one goroutine.
type Conn struct {
	Server string

	b     *backend.Conn
	nc    net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	limit time.Duration // of each wait
	err   error         // why it cannot be used any more
	wrote time.Time     // when a command was last begun
	tail  [24]byte      // the end of the part before, of a line longer than the buffer
	tailN int
	buf   []byte

	held    bool // in use, or a mailbox is selected
	idle    *time.Timer
	enabled map[string]bool // by Enable
	waiting chan struct{}   // closed when Await has seen something
}

func newConn(server string, b *backend.Conn, limit time.Duration) *Conn {
	return &Conn{Server: server, b: b, nc: b.NetConn(), r: b.Reader(), w: b.Writer(), limit: limit}
}

// Has says whether the backend offers a capability.
func (c *Conn) Has(capability string) bool { return c.b.Caps.Has(capability) }

// Err is why the connection cannot be used any more; nil while it can.
func (c *Conn) Err() error { return c.err }

// fail ends the connection.
func (c *Conn) fail(err error) error {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w: %v", c.Server, ErrLost, err)
		c.nc.Close()
	}
	return c.err
}

// Begin writes the tag and name of a command.
func (c *Conn) Begin(tag, name string) {
	c.wrote = time.Now()
	c.nc.SetWriteDeadline(c.wrote.Add(c.limit))
	c.w.WriteString(tag)
	c.w.WriteByte(' ')
	c.w.WriteString(name)
}

// Word writes a space and a word as it is.
func (c *Conn) Word(word string) {
	c.w.WriteByte(' ')
	c.w.WriteString(word)
}

// String writes a space and a string.
func (c *Conn) String(s string) {
	c.w.WriteByte(' ')
	if len(s) < 1000 && quotable(s) {
		c.w.WriteByte('"')
		c.w.WriteString(s)
		c.w.WriteByte('"')
		return
	}
	// Every Cyrus takes literals that do not wait.
	fmt.Fprintf(c.w, "{%d+}\r\n%s", len(s), s)
}

func quotable(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

// End ends the command and sends it.
func (c *Conn) End() error {
	c.w.WriteString("\r\n")
	return c.flush()
}

// Next ends a command that others follow before an answer is read.
func (c *Conn) Next() { c.w.WriteString("\r\n") }

// Flush sends what Next ended.
func (c *Conn) Flush() error { return c.flush() }

func (c *Conn) flush() error {
	if c.err != nil {
		return c.err
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.limit))
	if err := c.w.Flush(); err != nil {
		return c.fail(err)
	}
	return nil
}

// Send sends a command of one line.
func (c *Conn) Send(tag, line string) error {
	c.Begin(tag, line)
	return c.End()
}

// Write writes octets of a command, for literals.
func (c *Conn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) > c.w.Available() {
		c.nc.SetWriteDeadline(time.Now().Add(c.limit))
	}
	n, err := c.w.Write(p)
	if err != nil {
		err = c.fail(err)
	}
	return n, err
}

// Literal announces a literal of n octets and, where the backend wants to be asked
// first, waits until it may be sent. refused is the tagged answer in place of that.
func (c *Conn) Literal(tag string, n int64, relay *Relay) (refused *Reply, err error) {
	if c.Has("LITERAL+") || c.Has("LITERAL-") && n <= minusLimit {
		fmt.Fprintf(c.w, "{%d+}\r\n", n)
		return nil, c.err
	}
	fmt.Fprintf(c.w, "{%d}\r\n", n)
	return c.invited(tag, relay)
}

// minusLimit is the most that a literal may have that does not wait, under
// LITERAL- (RFC 7888).
const minusLimit = 4096

// invited sends what was written, and waits for "+" or the tagged answer.
func (c *Conn) invited(tag string, relay *Relay) (refused *Reply, err error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	reply, err := c.answer(tag, relay, true)
	if err != nil || reply.Status == "+" {
		return nil, err
	}
	return &reply, nil
}

// literalOf is the size of the literal that a line, with its end, announces; -1
// without one. sync is whether its sender waits.
func literalOf(line []byte) (n int64, sync bool) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) == 0 || line[len(line)-1] != '}' {
		return -1, false
	}
	line = line[:len(line)-1]
	s := string(line[max(0, len(line)-22):])
	i := strings.LastIndexByte(s, '{')
	if i < 0 {
		return -1, false
	}
	digits, plus := strings.CutSuffix(s[i+1:], "+")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || digits[0] == '+' || digits[0] == '-' {
		return -1, false
	}
	return n, !plus
}

// readable waits for octets of the backend.
func (c *Conn) readable() error {
	if c.r.Buffered() > 0 {
		return nil
	}
	c.nc.SetReadDeadline(time.Now().Add(c.limit))
	if _, err := c.r.Peek(1); err != nil {
		return c.fail(unexpected(err))
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// part reads the next part of an answer: a line, or as much of one as the buffer
// holds; end says that its end is there. literal is the size of the literal that
// follows, -1 for none.
func (c *Conn) part() (b []byte, end bool, literal int64, err error) {
	if err := c.readable(); err != nil {
		return nil, false, -1, err
	}
	b, err = c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		c.tailN = copy(c.tail[:], b[max(0, len(b)-len(c.tail)):])
		return b, false, -1, nil
	case err != nil:
		return nil, false, -1, c.fail(unexpected(err))
	}
	if c.tailN == 0 || len(b) > len(c.tail) {
		literal, _ = literalOf(b)
	} else {
		literal, _ = literalOf(append(c.tail[:c.tailN:c.tailN], b...))
	}
	c.tailN = 0
	return b, true, literal, nil
}

// octets reads n octets and hands them to each as they come. An error of each
// ends the reading, and the connection is of no use then.
func (c *Conn) octets(n int64, each func([]byte) error) error {
	var big []byte
	for n > 0 {
		var p []byte
		if buffered := int64(c.r.Buffered()); buffered > 0 {
			p, _ = c.r.Peek(int(min(buffered, n)))
			if err := each(p); err != nil {
				c.fail(err)
				return err
			}
			c.r.Discard(len(p))
			n -= int64(len(p))
			continue
		}
		if n < bigSize/4 {
			if err := c.readable(); err != nil {
				return err
			}
			continue
		}
		if big == nil {
			buf := bigPool.Get().(*[bigSize]byte)
			defer bigPool.Put(buf)
			big = buf[:]
		}
		c.nc.SetReadDeadline(time.Now().Add(c.limit))
		m, err := c.r.Read(big[:min(n, bigSize)])
		if m > 0 {
			if err := each(big[:m]); err != nil {
				c.fail(err)
				return err
			}
			n -= int64(m)
		}
		if err != nil {
			return c.fail(unexpected(err))
		}
	}
	return nil
}
