package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds one wait for a server: longer means it hangs.
const patience = 5 * time.Minute

// errAnswer is the error of an answer that is not the one expected: NO, BAD, a
// negative SMTP or POP3 reply, or a wrong count, size or checksum.
var errAnswer = errors.New("wrong answer")

// wire is one connection to a server: lines and literals, nothing parsed that
// a row does not ask for.
type wire struct {
	net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	line []byte // the last long line, reused
}

// quickAck is the flag -quickack. A server that leaves Nagle's algorithm on
// waits with the second small packet of an answer until the client's delayed
// acknowledgement, 40 ms on Linux, comes: a cost its users really pay, but one
// that hides all others.
var quickAck bool

// ackConn acknowledges at once. Linux forgets the option by itself, so it is
// set with every read.
type ackConn struct {
	net.Conn
	raw syscall.RawConn
}

func (c *ackConn) Read(b []byte) (int, error) {
	var err error
	if ctl := c.raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}); ctl != nil {
		return 0, ctl
	}
	if err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// ackingAtOnce is conn, acknowledging at once when it is TCP.
func ackingAtOnce(conn net.Conn) (net.Conn, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &ackConn{conn, raw}, nil
}

// dial connects to addr, in clear or with TLS from the first octet.
func dial(addr string, secure bool) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	if quickAck {
		if conn, err = ackingAtOnce(conn); err != nil {
			return nil, err
		}
	}
	if secure {
		// The certificate is the bench's own; whom it names is not measured.
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return &wire{Conn: conn, r: bufio.NewReaderSize(conn, 128<<10), w: bufio.NewWriterSize(conn, 64<<10)}, nil
}

// small shrinks the buffers, for connections held by the thousand. Nothing may
// be on its way in.
func (c *wire) small() {
	c.r, c.w = bufio.NewReaderSize(c.Conn, 512), bufio.NewWriterSize(c.Conn, 512)
}

// prompt lets the connection acknowledge at once, whatever the flag says: for
// those who look again and again, and are not measured. Nothing may be on its
// way in.
func (c *wire) prompt() (err error) {
	if c.Conn, err = ackingAtOnce(c.Conn); err != nil {
		return err
	}
	c.r = bufio.NewReaderSize(c.Conn, 4096)
	return nil
}

// patient gives the peer another full wait.
func (c *wire) patient() error { return c.SetDeadline(time.Now().Add(patience)) }

// send writes s and flushes.
func (c *wire) send(s string) error {
	if _, err := c.w.WriteString(s); err != nil {
		return err
	}
	return c.w.Flush()
}

// readLine returns a line without its CRLF, valid until the next read.
func (c *wire) readLine() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err == nil {
		return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
	}
	c.line = c.line[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		c.line = append(c.line, line...)
		line, err = c.r.ReadSlice('\n')
	}
	if err != nil {
		return nil, err
	}
	c.line = append(c.line, line...)
	return bytes.TrimSuffix(c.line[:len(c.line)-1], []byte("\r")), nil
}

// literal returns the length in octets that a line ending in {n} announces, or
// -1 when it announces none.
func literal(line []byte) int {
	if len(line) < 3 || line[len(line)-1] != '}' {
		return -1
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return -1
	}
	n, err := strconv.Atoi(string(line[open+1 : len(line)-1]))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// imapConn is an IMAP session.
type imapConn struct {
	*wire
	tags int
	caps string // the last CAPABILITY seen
	lit  []byte // the literals of one response, reused
}

// response is one untagged response: its text with literals cut out (their
// {n} stays) and the literals, end to end. Both are valid only during the call.
type response struct {
	text, lit []byte
}

// dialIMAP connects and reads the greeting.
func dialIMAP(addr string, secure bool) (*imapConn, error) {
	w, err := dial(addr, secure)
	if err != nil {
		return nil, err
	}
	c := &imapConn{wire: w}
	line, err := c.readLine()
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if !bytes.HasPrefix(line, []byte("* OK")) {
		w.Close()
		return nil, fmt.Errorf("greeting %q: %w", line, errAnswer)
	}
	return c, nil
}

// login connects to addr as user. Every server takes any password.
func login(addr, user string, secure bool) (*imapConn, error) {
	c, err := dialIMAP(addr, secure)
	if err != nil {
		return nil, err
	}
	if _, err := c.do("LOGIN "+user+" secret", nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// logout ends the session politely.
func (c *imapConn) logout() error {
	_, err := c.do("LOGOUT", nil)
	return errors.Join(err, c.Close())
}

// do sends a command and hands every untagged response to on, which may be
// nil. It returns the text after the tagged OK; anything but OK is an error.
func (c *imapConn) do(cmd string, on func(response)) (string, error) {
	tag, err := c.start(cmd)
	if err != nil {
		return "", err
	}
	text, err := c.await(tag, on)
	if err != nil {
		return "", fmt.Errorf("%.60s: %w", cmd, err)
	}
	return text, nil
}

// status is one number that STATUS tells of a mailbox.
func (c *imapConn) status(mailbox, item string) (int, error) {
	n := -1
	_, err := c.do("STATUS "+mailbox+" ("+item+")", func(r response) {
		if s, ok := between(string(r.text), "("+item+" ", ")"); ok {
			if v, err := strconv.Atoi(s); err == nil {
				n = v
			}
		}
	})
	return n, err
}

// start sends a command without waiting and returns its tag.
func (c *imapConn) start(cmd string) (string, error) {
	c.tags++
	tag := "t" + strconv.Itoa(c.tags)
	if err := c.patient(); err != nil {
		return "", err
	}
	return tag, c.send(tag + " " + cmd + "\r\n")
}

// await reads up to the tagged reply for tag.
func (c *imapConn) await(tag string, on func(response)) (string, error) {
	for {
		line, err := c.readLine()
		if err != nil {
			return "", err
		}
		if len(line) > 0 && line[0] == '*' {
			if err := c.untagged(line, on); err != nil {
				return "", err
			}
			continue
		}
		text, ok := strings.CutPrefix(string(line), tag+" ")
		if !ok {
			if line[0] == '+' {
				continue // continuation of IDLE
			}
			return "", fmt.Errorf("%q while waiting for %s: %w", line, tag, errAnswer)
		}
		if rest, ok := strings.CutPrefix(text, "OK"); ok {
			return rest, nil
		}
		return "", fmt.Errorf("%s: %w", text, errAnswer)
	}
}

// untagged completes a response whose first line is line, and delivers it.
func (c *imapConn) untagged(line []byte, on func(response)) error {
	n := literal(line)
	if n < 0 {
		if on != nil {
			on(response{text: line})
		}
		return nil
	}
	text := append([]byte(nil), line...)
	c.lit = c.lit[:0]
	for n >= 0 {
		had := len(c.lit)
		c.lit = append(c.lit, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, c.lit[had:]); err != nil {
			return err
		}
		line, err := c.readLine()
		if err != nil {
			return err
		}
		text = append(text, line...)
		n = literal(line)
	}
	if on != nil {
		on(response{text: text, lit: c.lit})
	}
	return nil
}

// has says whether the server announces a capability.
func (c *imapConn) has(name string) (bool, error) {
	if c.caps == "" {
		_, err := c.do("CAPABILITY", func(r response) { c.caps = string(r.text) + " " })
		if err != nil {
			return false, err
		}
	}
	return strings.Contains(c.caps, " "+name+" "), nil
}
