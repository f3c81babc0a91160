package syncclient

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
)

// Shared brings one shared mailbox to the other server, as Mailboxes does, and the
// limits of its quota root: of a root above it only where the other server has none,
// since there other mailboxes come under it.
func (c *Client) Shared(ctx context.Context, n mboxname.Name) error {
	names := []mboxname.Name{n}
	if err := c.Mailboxes(ctx, names, nil); err != nil {
		return err
	}
	return c.do(ctx, func(ctx context.Context, s *session) error { return c.rootOf(ctx, s, n) })
}

// rootOf brings the limits of the quota root of a shared mailbox.
func (c *Client) rootOf(ctx context.Context, s *session, n mboxname.Name) error {
	root, ok, err := c.site.Quota.Find(n)
	if err != nil || !ok {
		return err
	}
	if root != n {
		there, err := s.getQuota(ctx, string(root))
		if err != nil || there != nil {
			return err
		}
	}
	return c.quota(ctx, s, string(root))
}

// There are the mailboxes that the other server has of a user.
func (c *Client) There(ctx context.Context, userid string) (all []*csync.Mailbox, err error) {
	err = c.do(ctx, func(ctx context.Context, s *session) error {
		u, err := s.getUser(ctx, userid)
		all = u.Mailboxes
		return err
	})
	return all, err
}

// Named are the mailboxes that the other server has by some names.
func (c *Client) Named(ctx context.Context, names ...mboxname.Name) (all []*csync.Mailbox, err error) {
	err = c.do(ctx, func(ctx context.Context, s *session) (err error) {
		all, err = s.getMailboxes(ctx, names)
		return err
	})
	return all, err
}

// Compare is Verify with a single look, of what nobody changes meanwhile, and with
// the limits of shared mailboxes.
func (c *Client) Compare(ctx context.Context, scope Scope) ([]Difference, error) {
	found, err := c.verifyOnce(ctx, scope)
	if err != nil {
		return nil, err
	}
	err = c.do(ctx, func(ctx context.Context, s *session) error {
		for _, n := range scope.Mailboxes {
			d, err := c.compareRoot(ctx, s, n)
			if err != nil {
				return err
			}
			found = append(found, d...)
		}
		return nil
	})
	return found, err
}

// compareRoot compares the limits of the root that a shared mailbox is.
func (c *Client) compareRoot(ctx context.Context, s *session, n mboxname.Name) ([]Difference, error) {
	root, ok, err := c.site.Quota.Find(n)
	if err != nil || !ok || root != n {
		return nil, err
	}
	q, err := c.site.Quota.Get(root)
	if err != nil {
		return nil, err
	}
	there, err := s.getQuota(ctx, string(root))
	if err != nil || there != nil && there.Limits == q.Limit {
		return nil, err
	}
	return []Difference{{Owner: n.Owner(), Mailbox: n, What: fmt.Sprintf("QUOTA %v", q.Limit)}}, nil
}

// SeenBy brings what a user has seen of a mailbox of somebody else's.
func (c *Client) SeenBy(ctx context.Context, userid, uniqueID string) error {
	return c.do(ctx, func(ctx context.Context, s *session) error { return c.seen(ctx, s, userid, uniqueID) })
}

// Discard removes mailboxes from the other server, in order. That one is not there is no
// error.
func (c *Client) Discard(ctx context.Context, names []mboxname.Name) error {
	return c.do(ctx, func(ctx context.Context, s *session) error {
		for _, n := range names {
			err := s.apply(ctx, c.opt.item("UNMAILBOX"), client.Text(string(n)))
			if err != nil && !errors.Is(err, csync.ErrNonexistent) {
				return err
			}
		}
		return nil
	})
}

// Ours says whether the other server is one of this program.
func (c *Client) Ours(ctx context.Context) (ours bool, err error) {
	err = c.do(ctx, func(_ context.Context, s *session) error {
		ours = s.c.Ours()
		return nil
	})
	return ours, err
}
