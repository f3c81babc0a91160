package csync

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// ready starts the session proper: from here on requests are answered in order.
func (c *Client) ready(ctx context.Context) (*Client, error) {
	src, dst := c.conn.Reader(), c.conn.Writer()
	if c.opt.Trace != nil {
		trace := &together{w: c.opt.Trace}
		src = bufio.NewReader(io.TeeReader(src, trace))
		dst = bufio.NewWriter(io.MultiWriter(dst, trace))
	}
	c.in = &responses{src: Buffered(src), limits: c.opt.Limits}
	c.out = dst
	c.run()
	if err := c.enable(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// together lets two goroutines write to one place.
type together struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *together) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.w.Write(p) // a trace that cannot be written is no reason to stop
	return len(p), nil
}

// enable agrees on capabilities.
func (c *Client) enable(ctx context.Context) error {
	c.ours = c.offers(CapOurs) || c.says("gocyrus")
	var want []string
	if c.offers(CapSieveMailbox) || c.silent() {
		want = append(want, CapSieveMailbox)
	}
	if c.opt.Archive && (c.offers(CapArchive) || c.silent()) {
		want = append(want, CapArchive)
	}
	if len(want) == 0 {
		return nil
	}
	a, err := c.Do(ctx, NewApply("CAPABILITIES", FromClient.List(want)))
	switch {
	case c.silent() && errors.Is(err, ErrProtocol) && c.Err() == nil:
		return nil // an old one that does not know the question
	case err != nil:
		return err
	}
	for _, item := range a.Items {
		if item.Name != "ENABLED" {
			continue
		}
		names, err := ParseList(item.Value)
		if err != nil {
			return err
		}
		for _, n := range names {
			c.sieve = c.sieve || strings.EqualFold(n, CapSieveMailbox)
			c.archive = c.archive || strings.EqualFold(n, CapArchive)
		}
	}
	return nil
}

// silent is a csync server that has offered nothing, as on a Unix socket. Cyrus's
// client then sends scripts the old way, which leaves other messages on the
// replica than the master has; asking costs nothing.
func (c *Client) silent() bool { return !c.imap && len(c.conn.Caps.Words) == 0 }

func (c *Client) offers(name string) bool {
	if c.imap && !strings.HasPrefix(name, "X-") {
		name = "X-" + name
	}
	return c.conn.Caps.Has(name)
}

// says looks for a word in the version with which the server greets.
func (c *Client) says(word string) bool {
	return strings.Contains(c.conn.Greeting, "-"+word+"-")
}
