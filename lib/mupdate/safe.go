package mupdate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/mboxname"
)

// The commands that change something, so that no Cyrus master breaks down.
//
// QUIRK: a Cyrus master up to 3.10 dies, with all its connections, of DEACTIVATE
// for a name that it does not have or has reserved at the same location; of
// DELETE for a name that it does not have it dies in every version. So these two
// ask with FIND first. Between the two somebody else may take the name away;
// nothing can be done about that.

// Reserve claims a name. The error is ErrExists where it is taken by another
// location. A name that is active at the same location becomes reserved, and
// loses its ACL.
func (c *Client) Reserve(ctx context.Context, name mboxname.Name, location string) error {
	location, err := c.location(location)
	if err != nil {
		return err
	}
	return c.command(ctx, nil, "RESERVE", string(name), location)
}

// Activate says where a mailbox is, whoever had the name before.
func (c *Client) Activate(ctx context.Context, name mboxname.Name, location, acl string) error {
	location, err := c.location(location)
	if err != nil {
		return err
	}
	return c.command(ctx, nil, "ACTIVATE", string(name), location, acl)
}

// Deactivate turns a mailbox into a reserved one at location. The error is
// ErrNotFound or ErrNotActive where there is nothing to do.
func (c *Client) Deactivate(ctx context.Context, name mboxname.Name, location string) error {
	location, err := c.location(location)
	if err != nil {
		return err
	}
	e, err := c.Find(ctx, name)
	if err != nil {
		return err
	}
	if e.State != Active {
		return fmt.Errorf("%s: %w", name, ErrNotActive)
	}
	return c.command(ctx, nil, "DEACTIVATE", string(name), location)
}

// Delete has the master forget a name. The error is ErrNotFound where it does
// not have it.
func (c *Client) Delete(ctx context.Context, name mboxname.Name) error {
	if _, err := c.Find(ctx, name); err != nil {
		return err
	}
	return c.command(ctx, nil, "DELETE", string(name))
}

// location is what is announced. A second "!" is refused, as by Cyrus.
func (c *Client) location(location string) (string, error) {
	_, partition, has := SplitLocation(location)
	if strings.Contains(partition, "!") || !ValidLocation(location) {
		return "", fmt.Errorf("%w: %q", ErrLocation, location)
	}
	if c.strip && has && partition != "" {
		return partition, nil
	}
	return location, nil
}

// window is how many commands are under way at once. Their answers are short and
// fit into any socket's buffer, so that neither side waits for the other.
const window = 64

// ActivateAll activates many mailboxes without waiting for each. report is told
// how each went, in order; an error that ends the connection is returned.
func (c *Client) ActivateAll(ctx context.Context, entries []Entry, report func(Entry, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(entries) > 0 {
		n := min(len(entries), window)
		if err := c.guard(ctx, func() error { return c.activate(entries[:n], report) }); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

func (c *Client) activate(entries []Entry, report func(Entry, error)) error {
	b := c.buf[:0]
	tags := make([]string, len(entries)) // empty where nothing was sent
	bad := make([]error, len(entries))
	for i, e := range entries {
		location, err := c.location(e.Location)
		if err != nil {
			bad[i] = err
			continue
		}
		tags[i] = c.tag()
		b = AppendCommand(b, tags[i], "ACTIVATE", string(e.Name), location, e.ACL)
	}
	if err := c.send(b); err != nil {
		return err
	}
	for i, e := range entries {
		err := bad[i]
		if tags[i] != "" {
			err = c.answer(tags[i], nil)
			var refused *Refusal
			if err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		report(e, err)
	}
	return nil
}

// Do connects, runs fn and takes leave. When the connection breaks, for a master
// that is restarted says nothing to anybody, fn is run once more on another one:
// it is to be such that doing it twice is as doing it once.
func Do(ctx context.Context, o Options, fn func(*Client) error) error {
	for again := true; ; again = false {
		c, err := Connect(ctx, o)
		if err != nil {
			return err
		}
		err = fn(c)
		var lost *ConnError
		if errors.As(err, &lost) {
			c.Close()
			if again && ctx.Err() == nil {
				continue
			}
			return err
		}
		// The work is done; a master that does not answer the farewell changes
		// nothing.
		_ = c.conn.SayLogout()
		c.Close()
		return err
	}
}
