package csync

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// read takes the answers in and gives each to its request.
func (c *Client) read() {
	defer c.ended.Done()
	for {
		// Nothing may be decided before an octet is there: the request it answers
		// has been begun by then.
		if _, err := c.in.src.ReadByte(); err != nil {
			c.fail(lost(err))
			return
		}
		c.in.src.UnreadByte()
		p := c.oldest()
		if p == nil {
			c.fail(c.unasked())
			return
		}
		done, err := c.receive(p)
		if !done {
			c.fail(lost(err))
			return
		}
		if c.answered(p) {
			p.end(err)
		}
	}
}

// oldest is the request that is answered next, nil when none has been sent.
func (c *Client) oldest() *Pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 || !c.pending[0].begun {
		return nil
	}
	return c.pending[0]
}

// answered takes the oldest request off, unless fail did so.
func (c *Client) answered(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 || c.pending[0] != p {
		return false
	}
	c.pending[0] = nil
	c.pending = c.pending[1:]
	c.net.expect(len(c.pending) > 0)
	return true
}

// unasked is the error of a line that answers nothing.
func (c *Client) unasked() error {
	item, line, err := c.in.next(nil)
	switch {
	case err != nil:
		return lost(err)
	case item != nil:
		line = "* " + item.Name
	}
	if err := fromLine(strings.TrimPrefix(line, "* ")); errors.Is(err, ErrBye) || errors.Is(err, ErrLost) {
		return err
	}
	return fmt.Errorf("%w: unasked %q", ErrProtocol, line)
}

// receive reads the answer to p. It is done when the final line was read and the
// next answer can be; err is then the request's.
func (c *Client) receive(p *Pending) (done bool, err error) {
	var wrong error // with an item, first of all
	for {
		item, line, err := c.in.next(p.req.Files)
		switch {
		case errors.Is(err, errFile), errors.Is(err, errSyntax):
			wrong = cmp.Or(wrong, err)
		case err != nil:
			return false, err
		case item != nil && p.req.Each == nil:
			wrong = cmp.Or(wrong, c.gather(p, item))
		case item != nil:
			if wrong == nil {
				wrong = p.req.Each(*item)
			}
		case strings.HasPrefix(line, "* "):
			if err := status(line[2:]); err != nil && !(p.req.last && errors.Is(err, ErrBye)) {
				return false, err
			}
		default:
			done, err := c.final(p, line)
			return done, cmp.Or(err, wrong)
		}
	}
}

// gather keeps an item, while all of them together are not too much.
func (c *Client) gather(p *Pending, item *Item) error {
	if p.size += int64(len(item.Value)); p.size > c.opt.Limits.Total {
		p.answer.Items = nil
		return fmt.Errorf("%w: an answer of more than %d octets", ErrProtocol, c.opt.Limits.Total)
	}
	p.answer.Items = append(p.answer.Items, *item)
	return nil
}

// status is the error of an untagged status: of BYE and of Fatal error. Others
// are for an administrator to read.
func status(line string) error {
	if err := fromLine(line); errors.Is(err, ErrBye) || errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// final reads the last line of an answer. A line of another answer ends the
// session, as BYE does.
func (c *Client) final(p *Pending, line string) (done bool, err error) {
	text, err := untagged(line, p.tag)
	if err != nil {
		return false, err
	}
	p.answer.Text = text
	err = fromLine(text)
	return !errors.Is(err, ErrBye), err
}
