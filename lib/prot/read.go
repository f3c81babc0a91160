package prot

import (
	"bufio"
	"errors"
	"io"
	"time"
)

// Wait returns when an octet of input is at hand. If it must wait it flushes
// what was written and gives the buffers back first. limit replaces the
// timeout for this one time; zero is none. The error is ErrTimeout,
// ErrInterrupted, io.EOF or the socket's.
func (c *Conn) Wait(limit time.Duration) error {
	if c.rpos < c.rend {
		return nil
	}
	if err := c.Flush(); err != nil {
		return err
	}
	c.release()
	if err := c.deadline(limit); err != nil {
		return err
	}
	if c.z != nil {
		if err := c.z.wait(); err != nil {
			return c.waitError(err)
		}
		c.deadline(c.timeout)
		return c.fill()
	}
	var first [256]byte
	n, err := c.layer.Read(first[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return c.waitError(err)
	}
	c.rbuf = getRead()
	c.rpos, c.rend = 0, copy(c.rbuf, first[:n])
	c.received(first[:n])
	return nil
}

// deadline sets the read deadline d ahead. The flag is looked at after it is
// set: an Interrupt between the two is not lost.
func (c *Conn) deadline(d time.Duration) error {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	c.sock.SetReadDeadline(at)
	if c.interrupted.Swap(false) {
		return ErrInterrupted
	}
	return nil
}

func (c *Conn) waitError(err error) error {
	err = timeoutError(err)
	if errors.Is(err, ErrTimeout) && c.interrupted.Swap(false) {
		return ErrInterrupted
	}
	return err
}

// fill reads at least one octet into the empty read buffer, through an
// Interrupt: that is left for the next Wait.
func (c *Conn) fill() error {
	if c.rbuf == nil {
		c.rbuf = getRead()
	}
	c.keep()
	n, err := c.readSome(c.rbuf)
	c.rpos, c.rend, c.rec.from = 0, n, 0
	return err
}

// readSome reads once into p, at least one octet unless there is an error.
func (c *Conn) readSome(p []byte) (int, error) {
	if err := c.Flush(); err != nil {
		return 0, err
	}
	var n int
	var err error
	if c.z != nil {
		n, err = c.z.Read(p)
	} else {
		n, err = c.readLayer(p)
	}
	if n > 0 {
		c.received(p[:n])
		return n, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, timeoutError(err)
}

// readLayer reads from under the compression, again when Interrupt cut it.
func (c *Conn) readLayer(p []byte) (int, error) {
	start := time.Now()
	for {
		at := time.Time{}
		if c.timeout > 0 {
			at = start.Add(c.timeout)
		}
		c.sock.SetReadDeadline(at)
		n, err := c.layer.Read(p)
		late := c.timeout > 0 && time.Since(start) >= c.timeout
		if n > 0 || !errors.Is(timeoutError(err), ErrTimeout) || late {
			return n, err
		}
	}
}

func (c *Conn) received(p []byte) {
	c.in.Add(int64(len(p)))
	if c.copy != nil {
		c.copy.record('<', p)
	}
}

func (c *Conn) release() {
	if c.rbuf != nil && c.rpos >= c.rend {
		c.keep()
		putRead(c.rbuf)
		c.rbuf, c.rpos, c.rend, c.rec.from = nil, 0, 0, 0
	}
}

// Buffered is how many octets can be read without waiting.
func (c *Conn) Buffered() int { return c.rend - c.rpos }

// ReadByte reads one octet. What was written is flushed before waiting.
func (c *Conn) ReadByte() (byte, error) {
	if c.rpos >= c.rend {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	b := c.rbuf[c.rpos]
	c.rpos++
	return b, nil
}

// UnreadByte takes back the octet of the last ReadByte.
func (c *Conn) UnreadByte() error {
	if c.rpos == 0 {
		return bufio.ErrInvalidUnreadByte
	}
	c.rpos--
	return nil
}

// Read reads what is at hand, waiting only for the first octet.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.rpos < c.rend {
		n := copy(p, c.rbuf[c.rpos:c.rend])
		c.rpos += n
		return n, nil
	}
	if len(p) >= readSize && !c.rec.on {
		return c.readSome(p)
	}
	if err := c.fill(); err != nil {
		return 0, err
	}
	n := copy(p, c.rbuf[:c.rend])
	c.rpos = n
	return n, nil
}

// AppendUntil appends input to dst up to the first octet that is in stop, which
// stays unread. If dst would become longer than max octets the error is ErrLong.
func (c *Conn) AppendUntil(dst []byte, stop *[256]bool, max int) ([]byte, error) {
	for {
		if c.rpos >= c.rend {
			if err := c.fill(); err != nil {
				return dst, err
			}
		}
		part := c.rbuf[c.rpos:c.rend]
		n := 0
		for n < len(part) && !stop[part[n]] {
			n++
		}
		if len(dst)+n > max {
			return dst, ErrLong
		}
		dst = append(dst, part[:n]...)
		c.rpos += n
		if n < len(part) {
			return dst, nil
		}
	}
}

// CopyN writes the next n octets of input to w. An error of w does not stop
// the reading, for the stream must stay in step: it is returned at the end.
func (c *Conn) CopyN(w io.Writer, n int64) error {
	var werr error
	for n > 0 {
		if c.rpos >= c.rend {
			if err := c.fill(); err != nil {
				return err
			}
		}
		part := c.rbuf[c.rpos:min(int64(c.rend), int64(c.rpos)+n)]
		if werr == nil {
			_, werr = w.Write(part)
		}
		c.rpos += len(part)
		n -= int64(len(part))
	}
	return werr
}

// PeekAfter is the octet after the one that ReadByte just gave; UnreadByte can
// still take that one back.
func (c *Conn) PeekAfter() (byte, error) {
	if c.rpos < c.rend {
		return c.rbuf[c.rpos], nil
	}
	// Keep the last octet in front, so that it can be taken back.
	last := c.rbuf[c.rpos-1]
	c.keep()
	n, err := c.readSome(c.rbuf[1:])
	c.rbuf[0] = last
	c.rpos, c.rend = 1, 1+n
	c.rec.from = 1
	if err != nil {
		return 0, err
	}
	return c.rbuf[1], nil
}
