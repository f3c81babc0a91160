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
	_, partition, _ := SplitLocation(location)
	if strings.Contains(partition, "!") || !ValidLocation(location) {
		return "", fmt.Errorf("%w: %q", ErrLocation, location)
	}
	return location, nil
}

// Do connects, runs fn and takes leave. When the connection breaks, for a master
// that is restarted says nothing to anybody, fn is run once more on another one:
// it is to be such that doing it twice is as doing it once.
func Do(ctx context.Context, o Options, fn func(*Client) error) error {
	if o.memory == nil {
		o.memory = &memory{}
	}
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
