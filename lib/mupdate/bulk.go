package mupdate

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"
)

// Commands of ActivateAll are sent in pieces, and so many pieces are under way at
// once that the master always has something to do: it commits what is there in one
// transaction.
const (
	piece  = 256
	window = 8
)

// ActivateAll activates many mailboxes without waiting for each. report is told
// how each went, in order; an error that ends the connection is returned.
func (c *Client) ActivateAll(ctx context.Context, entries []Entry, report func(Entry, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guard(ctx, func() error { return c.activateAll(entries, report) })
}

// activateAll sends in a goroutine of its own, so that a master that wants its
// answers read before it reads on is no standstill.
func (c *Client) activateAll(entries []Entry, report func(Entry, error)) error {
	first := c.tags
	c.tags += len(entries)
	room := make(chan struct{}, window)
	stop := make(chan struct{})
	sent := make(chan error, 1)
	nc := c.conn.NetConn()
	go func() {
		err := c.sendAll(entries, first, room, stop)
		if err != nil {
			// Why may be on its way in.
			nc.SetReadDeadline(time.Now().Add(lastWords))
		}
		sent <- err
	}()
	err := c.answers(entries, first, room, report)
	close(stop)
	if err != nil {
		nc.SetWriteDeadline(time.Unix(1, 0))
	}
	if failed := <-sent; failed != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = failed
	}
	return err
}

// lastWords is how long it is listened to a master that takes no commands any more.
const lastWords = time.Second

// sendAll sends the commands, the tags counted from first. Each piece takes one of
// room; it ends when stop is closed.
func (c *Client) sendAll(entries []Entry, first int, room chan<- struct{}, stop <-chan struct{}) error {
	for at := 0; at < len(entries); at += piece {
		select {
		case room <- struct{}{}:
		case <-stop:
			return nil
		}
		b := c.buf[:0]
		for i := at; i < min(at+piece, len(entries)); i++ {
			e := &entries[i]
			if location, err := c.location(e.Location); err == nil {
				b = AppendCommand(b, tagged(first+i), "ACTIVATE", string(e.Name), location, e.ACL)
			}
		}
		if err := c.send(b); err != nil {
			return err
		}
	}
	return nil
}

// answers reads what the master says to the commands of sendAll.
func (c *Client) answers(entries []Entry, first int, room <-chan struct{}, report func(Entry, error)) error {
	for i, e := range entries {
		// What is not sent has its answer already.
		_, err := c.location(e.Location)
		if err == nil {
			err = c.answer(tagged(first+i), nil)
			var refused *Refusal
			if err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		report(e, err)
		if i%piece == piece-1 {
			<-room
		}
	}
	return nil
}

// tagged is the tag of that number. Real clients count from X0.
func tagged(n int) string { return "X" + strconv.Itoa(n) }
