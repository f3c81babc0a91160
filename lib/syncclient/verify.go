package syncclient

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// Difference is one thing in which the replica is not what it should be.
type Difference struct {
	Owner   string        // user, empty for what is shared
	Mailbox mboxname.Name // empty for what belongs to the user
	What    string        // in the words of the wire: "SYNC_CRC 12 34", here first
}

func (d Difference) String() string {
	if d.Mailbox != "" {
		return string(d.Mailbox) + ": " + d.What
	}
	return d.Owner + ": " + d.What
}

// Scope is what to verify.
type Scope struct {
	Users     []string
	Mailboxes []mboxname.Name
}

// Everything is all users and shared mailboxes whose names begin with prefix.
func (c *Client) Everything(prefix mboxname.Name) (s Scope, err error) {
	items, err := c.everything(prefix)
	for _, i := range items {
		if i.user != "" {
			s.Users = append(s.Users, i.user)
		} else {
			s.Mailboxes = append(s.Mailboxes, i.box)
		}
	}
	return s, err
}

// Looks at what differs before it is believed: what is on its way does not count.
const (
	verifyLooks = 3
	verifyPause = 2 * time.Second
)

// Verify compares this server with the replica: every mailbox by sums that are added
// up anew from the records here, limits, subscriptions and seen state. What differs is
// looked at again a little later, since mail may be on its way.
func (c *Client) Verify(ctx context.Context, s Scope) (all []Difference, err error) {
	for look := 1; ; look++ {
		all, err = c.verifyOnce(ctx, s)
		if err != nil || len(all) == 0 || look == verifyLooks || !c.pause(ctx, c.verifyPause) {
			return all, err
		}
		s = scopeOf(all)
	}
}

// Repair brings to the replica what differs, and verifies that again.
func (c *Client) Repair(ctx context.Context, differences []Difference) ([]Difference, error) {
	s := scopeOf(differences)
	stop := c.useless(ctx)
	err := each(s.Users, c.opt.Users, stop, func(u string) error { return c.User(ctx, u) })
	if len(s.Mailboxes) > 0 && (err == nil || !stop(err)) {
		err = errors.Join(err, c.Mailboxes(ctx, s.Mailboxes, nil))
	}
	c.cache.flush()
	left, verr := c.Verify(ctx, s)
	return left, errors.Join(err, verr)
}

// scopeOf is what differences are about.
func scopeOf(all []Difference) (s Scope) {
	for _, d := range all {
		switch {
		case d.Owner == "" && !slices.Contains(s.Mailboxes, d.Mailbox):
			s.Mailboxes = append(s.Mailboxes, d.Mailbox)
		case d.Owner != "" && !slices.Contains(s.Users, d.Owner):
			s.Users = append(s.Users, d.Owner)
		}
	}
	return s
}

func (c *Client) verifyOnce(ctx context.Context, s Scope) (all []Difference, err error) {
	var mu sync.Mutex
	add := func(list []Difference) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, list...)
	}
	stop := func(error) bool { return true }
	err = each(s.Users, c.opt.Users, stop, func(u string) error {
		var list []Difference
		err := c.do(ctx, func(ctx context.Context, s *session) (err error) {
			list, err = c.verifyUser(ctx, s, u)
			return err
		})
		add(list)
		return err
	})
	if err == nil && len(s.Mailboxes) > 0 {
		err = c.do(ctx, func(ctx context.Context, ses *session) error {
			list, err := c.verifyMailboxes(ctx, ses, s.Mailboxes)
			add(list)
			return err
		})
	}
	slices.SortFunc(all, func(a, b Difference) int {
		return slices.Compare([]string{a.Owner, string(a.Mailbox), a.What}, []string{b.Owner, string(b.Mailbox), b.What})
	})
	return all, err
}

func (c *Client) verifyUser(ctx context.Context, s *session, userid string) ([]Difference, error) {
	there, err := s.getUser(ctx, userid)
	if err != nil {
		return nil, err
	}
	entries, err := c.owned(userid)
	if err != nil {
		return nil, err
	}
	v := verifier{c: c, owner: userid}
	if err := v.mailboxes(ctx, entries, there.Mailboxes); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return v.found, nil
	}
	return v.found, firstError(v.quotas(there.Quotas), v.subs(there.Subs), v.seens(there.Seen))
}

func (c *Client) verifyMailboxes(ctx context.Context, s *session, names []mboxname.Name) ([]Difference, error) {
	there, err := s.getMailboxes(ctx, names)
	if err != nil {
		return nil, err
	}
	var entries []*mboxlist.Entry
	for _, n := range names {
		e, err := c.entry(n)
		if err != nil {
			return nil, err
		}
		if e != nil && !e.Is(mboxlist.FlagIntermediate) {
			entries = append(entries, e)
		}
	}
	v := verifier{c: c}
	err = v.mailboxes(ctx, entries, there)
	return v.found, err
}
