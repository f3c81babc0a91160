package imapproxy

import (
	"errors"
	"strings"
	"time"
)

// errDropped is why a connection was closed by Drop.
var errDropped = errors.New("given up")

// Enable switches an extension on, once.
func (s *Set) Enable(c *Conn, extension string) error {
	if c.enabled[extension] {
		return nil
	}
	tag := s.Tag()
	if err := c.Send(tag, "Enable "+extension); err != nil {
		return err
	}
	if _, err := c.Answer(tag, nil); err != nil {
		return err
	}
	if c.enabled == nil {
		c.enabled = map[string]bool{}
	}
	c.enabled[extension] = true
	return nil
}

// Do sends a command of our own and returns its answer; what is untagged goes to
// relay.
func (s *Set) Do(c *Conn, line string, relay *Relay) (Reply, error) {
	tag := s.Tag()
	if err := c.Send(tag, line); err != nil {
		return Reply{}, err
	}
	return c.Answer(tag, relay)
}

// Idle begins IDLE. refused is the answer of a backend that does not.
func (c *Conn) Idle(tag string, relay *Relay) (refused *Reply, err error) {
	c.Begin(tag, "IDLE")
	c.w.WriteString("\r\n")
	return c.invited(tag, relay)
}

// Await returns a channel that is closed when the backend has said something or is
// gone; before that wake is called. Until then nothing else may read.
func (c *Conn) Await(wake func()) <-chan struct{} {
	if c.waiting != nil {
		select {
		case <-c.waiting:
		default:
			return c.waiting
		}
	}
	seen := make(chan struct{})
	c.waiting = seen
	c.nc.SetReadDeadline(time.Time{})
	go func() {
		c.r.Peek(1) // an error comes again for whoever reads
		close(seen)
		wake()
	}()
	return seen
}

// News passes on what is there, without waiting for more than the end of an answer.
func (c *Conn) News(relay *Relay) error {
	for {
		if err := c.readable(); err != nil {
			return err
		}
		b, end, literal, err := c.part()
		if err != nil {
			return err
		}
		if len(b) < 2 || b[0] != '*' || isBye(b) {
			return c.fail(errors.New("said " + strings.TrimSpace(string(b))))
		}
		if err := c.pass(b, end, literal, relay); err != nil {
			return err
		}
		if c.r.Buffered() == 0 {
			return nil
		}
	}
}

// Done ends IDLE. A backend that does not answer is lost.
func (c *Conn) Done(tag string, relay *Relay) (Reply, error) {
	c.nc.SetReadDeadline(time.Now().Add(min(c.limit, aliveLimit)))
	c.w.WriteString("Done")
	err := c.End()
	if c.waiting != nil {
		<-c.waiting // bounded by the deadline
		c.waiting = nil
	}
	if err != nil {
		return Reply{}, err
	}
	return c.Answer(tag, relay)
}
