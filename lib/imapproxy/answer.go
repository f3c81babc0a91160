package imapproxy

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"gocyrus/lib/prot"
)

// bigSize is how much of a large literal is passed on at once.
const bigSize = 64 << 10

var bigPool = sync.Pool{New: func() any { return new([bigSize]byte) }}

// Reply is a tagged answer: Status is OK, NO or BAD, Text what follows.
type Reply struct{ Status, Text string }

// OK says whether the command was carried out.
func (r Reply) OK() bool { return r.Status == "OK" }

// Relay is where untagged answers go.
type Relay struct {
	To *prot.Conn // the client; nil drops what Look does not take
	// Look, when set, sees the beginning of each untagged answer, up to its first
	// literal or to what fits the buffer, and says whether the client is to have it.
	Look func(head []byte) bool
}

// Answer passes untagged answers on, as they come, and returns the tagged one. The
// error is ErrLost, ErrTorn, or the client's.
func (c *Conn) Answer(tag string, relay *Relay) (Reply, error) {
	return c.answer(tag, relay, false)
}

// answer is Answer; with invited the backend's "+" ends it too.
func (c *Conn) answer(tag string, relay *Relay, invited bool) (Reply, error) {
	for {
		if err := c.pause(relay); err != nil {
			return Reply{}, err
		}
		b, end, literal, err := c.part()
		if err != nil {
			return Reply{}, err
		}
		switch {
		case len(b) > 1 && b[0] == '*' && b[1] == ' ':
			if isBye(b) {
				return Reply{}, c.fail(fmt.Errorf("said %q", strings.TrimSpace(string(b))))
			}
			if err := c.pass(b, end, literal, relay); err != nil {
				return Reply{}, err
			}
		case invited && b[0] == '+' && end:
			return Reply{Status: "+"}, nil
		case len(b) > len(tag) && b[len(tag)] == ' ' && string(b[:len(tag)]) == tag:
			return c.tagged(b[len(tag)+1:], end)
		default:
			return Reply{}, c.fail(fmt.Errorf("%w: %.80q", ErrProtocol, b))
		}
	}
}

// pause sends the client what it has been given, when the backend has nothing more
// for now.
func (c *Conn) pause(relay *Relay) error {
	if c.r.Buffered() > 0 || relay == nil || relay.To == nil {
		return nil
	}
	if err := relay.To.Flush(); err != nil {
		c.fail(err)
		return err
	}
	return nil
}

// isBye says whether an untagged answer ends the backend's session.
func isBye(b []byte) bool {
	return len(b) > 5 && bytes.EqualFold(b[2:5], []byte("BYE")) && (b[5] == ' ' || b[5] == '\r' || b[5] == '\n')
}

// maxTagged bounds a tagged answer: COPYUID can be long.
const maxTagged = 1 << 20

func (c *Conn) tagged(b []byte, end bool) (Reply, error) {
	line := append(c.buf[:0], b...)
	for !end {
		var err error
		if b, end, _, err = c.part(); err != nil {
			return Reply{}, err
		}
		if line = append(line, b...); len(line) > maxTagged {
			return Reply{}, c.fail(fmt.Errorf("%w: too long", ErrProtocol))
		}
	}
	if cap(line) <= 4096 {
		c.buf = line
	}
	status, text, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
	status = strings.ToUpper(status)
	if status != "OK" && status != "NO" && status != "BAD" {
		return Reply{}, c.fail(fmt.Errorf("%w: %.80q", ErrProtocol, line))
	}
	return Reply{status, text}, nil
}

// pass passes one untagged answer on, of which b was read.
func (c *Conn) pass(b []byte, end bool, literal int64, relay *Relay) error {
	var to *prot.Conn
	if relay != nil {
		to = relay.To
		if relay.Look != nil && !relay.Look(b) {
			to = nil
		}
	}
	if end && literal < 0 { // most are one line: of a mailbox's flags there are many
		if to == nil {
			return nil
		}
		err := to.WriteLarge(b)
		if err != nil {
			c.fail(err)
		}
		return err
	}
	write := func(p []byte) error { return nil }
	if to != nil {
		write = to.WriteLarge
	}
	for {
		if err := write(b); err != nil {
			c.fail(err)
			return err
		}
		if end && literal < 0 {
			return nil
		}
		err := c.octets(max(literal, 0), write)
		if err == nil {
			b, end, literal, err = c.part()
		}
		if err != nil {
			if to != nil && c.err == err {
				err = fmt.Errorf("%w: %w", ErrTorn, err)
			}
			return err
		}
	}
}

// maxCollected bounds one answer that is read as a whole.
const maxCollected = 16 << 20

// Collect hands each untagged answer that begins with "* KIND", or "* n KIND",
// to each, whole, with its literals in it; the others go to relay. An error of each
// is returned when the tagged answer has come. The slice is good until each returns.
func (c *Conn) Collect(tag, kind string, relay *Relay, each func(line []byte) error) (Reply, error) {
	var failed error
	for {
		if err := c.pause(relay); err != nil {
			return Reply{}, err
		}
		head, err := c.head()
		if err != nil {
			return Reply{}, err
		}
		if !is(head, kind) {
			reply, done, err := c.one(tag, relay)
			if err == nil && !done {
				continue
			}
			if err == nil {
				err = failed
			}
			return reply, err
		}
		line, err := c.whole()
		if err != nil {
			return Reply{}, err
		}
		if failed == nil {
			failed = each(line)
		}
	}
}

// one reads one answer that is not to be collected.
func (c *Conn) one(tag string, relay *Relay) (reply Reply, done bool, err error) {
	b, end, literal, err := c.part()
	switch {
	case err != nil:
	case len(b) > 1 && b[0] == '*' && b[1] == ' ':
		if isBye(b) {
			return reply, false, c.fail(fmt.Errorf("said %q", strings.TrimSpace(string(b))))
		}
		err = c.pass(b, end, literal, relay)
	case len(b) > len(tag) && b[len(tag)] == ' ' && string(b[:len(tag)]) == tag:
		reply, err = c.tagged(b[len(tag)+1:], end)
		done = true
	default:
		err = c.fail(fmt.Errorf("%w: %.80q", ErrProtocol, b))
	}
	return reply, done, err
}

// headSize is as much of an answer as it takes to know what it is.
const headSize = 64

// head waits for the beginning of an answer: headSize octets, or its first line. What is
// in the buffer may end anywhere.
func (c *Conn) head() ([]byte, error) {
	for {
		if err := c.readable(); err != nil {
			return nil, err
		}
		b, _ := c.r.Peek(min(c.r.Buffered(), headSize))
		if len(b) == headSize || bytes.IndexByte(b, '\n') >= 0 {
			return b, nil
		}
		c.nc.SetReadDeadline(time.Now().Add(c.limit))
		if _, err := c.r.Peek(len(b) + 1); err != nil {
			return nil, c.fail(unexpected(err))
		}
	}
}

// is says whether an answer begins with "* kind" or "* n kind".
func is(head []byte, kind string) bool {
	rest, ok := bytes.CutPrefix(head, []byte("* "))
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, "0123456789")
	rest = bytes.TrimPrefix(rest, []byte(" "))
	return len(rest) > len(kind) && rest[len(kind)] <= ' ' && strings.EqualFold(string(rest[:len(kind)]), kind)
}

// whole reads one answer with its literals.
func (c *Conn) whole() ([]byte, error) {
	var line []byte
	for {
		b, end, literal, err := c.part()
		if err != nil {
			return nil, err
		}
		line = append(line, b...)
		if end && literal < 0 {
			return line, nil
		}
		if int64(len(line))+max(literal, 0) > maxCollected {
			return nil, c.fail(fmt.Errorf("%w: too long", ErrProtocol))
		}
		err = c.octets(max(literal, 0), func(p []byte) error {
			line = append(line, p...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}
