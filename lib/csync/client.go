package csync

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"gocyrus/lib/backend"
)

// Client is a session with a replica. It may be used by many goroutines: requests
// go out in the order of Start, without waiting for answers, and the answers come
// back in that order. One goroutine writes and one reads, so that neither side
// ever waits for the other to read.
type Client struct {
	conn *backend.Conn
	net  *watched
	in   *responses
	out  *bufio.Writer
	opt  Options
	imap bool

	sieve, archive, ours bool
	compressErr          error

	mu      sync.Mutex
	more    sync.Cond  // something to write, or err
	pending []*Pending // not answered, oldest first
	unsent  []*Pending // the last of them, not begun
	err     error      // why the session ended
	sendErr error      // why nothing can be sent; the reader may know better
	ended   sync.WaitGroup
}

// Tags counts the tags of IMAP: S0, S1 and on, through the life of a process.
type Tags struct{ n atomic.Uint64 }

func (t *Tags) next() string { return "S" + strconv.FormatUint(t.n.Add(1)-1, 10) }

// run starts the two goroutines on a session that is logged in.
func (c *Client) run() {
	c.more.L = &c.mu
	c.net.expect(false)
	c.net.limit.Store(int64(c.opt.Timeout))
	c.ended.Add(2)
	go c.write()
	go c.read()
}

// SieveMailbox says whether scripts travel as mailboxes.
func (c *Client) SieveMailbox() bool { return c.sieve }

// Archive says whether files are staged on the archive partition.
func (c *Client) Archive() bool { return c.archive }

// Ours says whether the server is of our kind: see CapOurs.
func (c *Client) Ours() bool { return c.ours }

// IMAP says whether the session is one of IMAP.
func (c *Client) IMAP() bool { return c.imap }

// Compressed says whether compression is on.
func (c *Client) Compressed() bool { return c.conn.Compressed() }

// CompressErr is why an offered compression did not start.
func (c *Client) CompressErr() error { return c.compressErr }

// Server is the line with which the server greeted us.
func (c *Client) Server() string { return c.conn.Greeting }

// Err is why the session ended; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Start sends a request. It never waits: the caller bounds what is under way.
func (c *Client) Start(req *Request) *Pending {
	p := &Pending{req: req, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		p.end(c.err)
		return p
	}
	if len(c.pending) == 0 {
		c.net.expect(true)
	}
	c.pending = append(c.pending, p)
	c.unsent = append(c.unsent, p)
	c.more.Signal()
	return p
}

// Do is Start and Wait.
func (c *Client) Do(ctx context.Context, req *Request) (*Answer, error) {
	return c.Start(req).Wait(ctx)
}

// Close ends the session at once; what was under way ends with ErrLost. It waits
// for callbacks, so none may call it.
func (c *Client) Close() error {
	c.fail(fmt.Errorf("%w: closed", ErrLost))
	c.ended.Wait()
	return nil
}

// Logout takes leave, after all that is under way, and closes. The error is that
// of a server that did not answer.
func (c *Client) Logout(ctx context.Context) error {
	req := &Request{Verb: Exit, last: true}
	if c.imap {
		req.Verb, req.tag = "LOGOUT", "Q01"
	}
	_, err := c.Do(ctx, req)
	c.Close()
	return err
}

// fail ends the session. The first reason counts.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		if c.sendErr != nil && errors.Is(err, ErrLost) {
			c.err = c.sendErr
		}
	}
	err = c.err
	rest := c.pending
	c.pending, c.unsent = nil, nil
	c.more.Broadcast()
	c.mu.Unlock()
	c.conn.Close()
	for _, p := range rest {
		p.end(err)
	}
}

// lost makes an error of the stream one of ours.
func lost(err error) error {
	if errors.Is(err, ErrLost) || errors.Is(err, ErrBye) || errors.Is(err, ErrProtocol) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
