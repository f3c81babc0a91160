package mupdate

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// streamTag is that of Cyrus's slaves.
const streamTag = "U01"

// Stream is a session in which a server tells every change. One goroutine calls
// Next; Noop may be called from another.
type Stream struct {
	c *Client

	mu    sync.Mutex // writing
	noops int
}

// Event is what a stream tells.
type Event struct {
	Entry  Entry // a mailbox is now so; Absent: it is gone, or never was there
	Synced bool  // instead of an entry: a Noop was answered
}

// Update makes the session a stream. dump is given everything that is there;
// when Update returns, Next tells the changes. With hosts only mailboxes of those
// servers are told of, which Cyrus calls PARTIAL-UPDATE.
func (c *Client) Update(ctx context.Context, hosts []string, dump func(Entry)) (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.guard(ctx, func() error {
		if err := c.send(AppendCommand(c.buf[:0], streamTag, "UPDATE", hosts...)); err != nil {
			return err
		}
		return c.answer(streamTag, dump)
	})
	if err != nil {
		return nil, err
	}
	return &Stream{c: c}, nil
}

// Next waits for the next event. An error ends the stream.
func (s *Stream) Next() (Event, error) {
	var a Answer
	for {
		if err := s.c.r.Answer(&a); err != nil {
			return Event{}, &ConnError{err}
		}
		switch a.Kind {
		case About:
			return Event{Entry: a.Entry}, nil
		case OK:
			return Event{Synced: true}, nil
		case BYE:
			return Event{}, &ConnError{fmt.Errorf("%w: %s", ErrBye, a.Text)}
		case NO, BAD:
			// Also a master that has lost its list.
			return Event{}, &Refusal{a.Kind, a.Text}
		}
	}
}

// Buffered says whether the next event is there, at least in part.
func (s *Stream) Buffered() bool { return s.c.conn.Reader().Buffered() > 0 }

// Noop asks for all changes of before; the answer is an Event. Each call gets
// one.
func (s *Stream) Noop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noops++
	return s.c.send(AppendCommand(s.c.buf[:0], "N"+strconv.Itoa(s.noops-1), "NOOP"))
}

// Close ends the session.
func (s *Stream) Close() error { return s.c.Close() }
