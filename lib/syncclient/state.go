package syncclient

import (
	"context"
	"errors"
	"slices"
	"sort"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/subs"
	"gocyrus/lib/syncstate"
)

// waitAll waits for requests; the error is the first.
func waitAll(ctx context.Context, jobs []*pending) error {
	var failed error
	for _, j := range jobs {
		if err := j.wait(ctx); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// quotas brings the limits of the roots of some mailboxes, and removes roots that only
// the replica has.
func (c *Client) quotas(ctx context.Context, s *session, boxes []*localBox, there []*csync.Quota) error {
	roots := make(map[string]bool)
	for _, l := range boxes {
		if l.state.QuotaRoot != "" {
			roots[l.state.QuotaRoot] = true
		}
	}
	remote := make(map[string]*csync.Quota)
	for _, q := range there {
		remote[q.Root] = q
	}
	var jobs []*pending
	for _, root := range sortedKeys(roots) {
		q, err := c.site.Quota.Get(mboxname.Name(root))
		if errors.Is(err, quota.ErrNotFound) {
			delete(roots, root)
			continue
		}
		if err != nil {
			return err
		}
		if r := remote[root]; r == nil || r.Limits != q.Limit {
			jobs = append(jobs, c.sendQuota(s, q))
		}
	}
	for _, q := range there {
		if !roots[q.Root] && c.opt.Only == nil {
			c.progress("UNQUOTA %s", q.Root)
			jobs = append(jobs, s.start("UNQUOTA", client.Text(q.Root)))
		}
	}
	return waitAll(ctx, jobs)
}

func (c *Client) sendQuota(s *session, q *quota.Root) *pending {
	c.progress("QUOTA %s", q.Name)
	w := syncstate.Quota(q)
	return s.start("QUOTA", w.Append(nil, client))
}

// quota brings the limits of one root, as far as the replica has others.
func (c *Client) quota(ctx context.Context, s *session, root string) error {
	q, err := c.site.Quota.Get(mboxname.Name(root))
	if errors.Is(err, quota.ErrNotFound) {
		c.progress("UNQUOTA %s", root)
		return s.apply(ctx, "UNQUOTA", client.Text(root))
	}
	if err != nil {
		return err
	}
	there, err := s.getQuota(ctx, root)
	if err != nil || there != nil && there.Limits == q.Limit {
		return err
	}
	return c.sendQuota(s, q).wait(ctx)
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (c *Client) userOf(userid string) subs.User { return c.site.Ops.User(userid) }

// subs brings subscriptions: those that one side alone has begin or end.
func (c *Client) subs(ctx context.Context, s *session, userid string, there []mboxname.Name) error {
	here, err := c.site.Subs.List(c.userOf(userid))
	if err != nil {
		return err
	}
	var jobs []*pending
	for _, n := range here {
		if !slices.Contains(there, n) {
			jobs = append(jobs, c.sendSub(s, userid, n, true))
		}
	}
	for _, n := range there {
		if !slices.Contains(here, n) {
			jobs = append(jobs, c.sendSub(s, userid, n, false))
		}
	}
	return waitAll(ctx, jobs)
}

func (c *Client) sendSub(s *session, userid string, n mboxname.Name, on bool) *pending {
	item := "UNSUB"
	if on {
		item = "SUB"
	}
	c.progress("%s %s %s", item, userid, n)
	return s.start(item, (&csync.Sub{UserID: userid, Name: n}).Append(nil, client))
}

// sub brings one subscription, whatever it is now.
func (c *Client) sub(ctx context.Context, s *session, userid string, n mboxname.Name) error {
	here, err := c.site.Subs.List(c.userOf(userid))
	if err != nil {
		return err
	}
	return c.sendSub(s, userid, n, slices.Contains(here, n)).wait(ctx)
}

func (c *Client) seenOf(userid string) *seen.DB {
	u := c.userOf(userid)
	return c.site.Seen.For(u.ID, u.InboxID)
}

// seens brings what a user has seen of others' mailboxes. What the replica has beyond
// it stays: nobody counts on it.
func (c *Client) seens(ctx context.Context, s *session, userid string, there []*csync.Seen) error {
	remote := make(map[string]*csync.Seen, len(there))
	for _, r := range there {
		remote[r.UniqueID] = r
	}
	var jobs []*pending
	err := c.seenOf(userid).Scan(func(id string, r seen.Record) error {
		if w := wireSeen("", id, r); remote[id] == nil || *remote[id] != w {
			jobs = append(jobs, c.sendSeen(s, userid, id, r))
		}
		return nil
	})
	return errors.Join(err, waitAll(ctx, jobs))
}

func wireSeen(userid, id string, r seen.Record) csync.Seen {
	return csync.Seen{UserID: userid, UniqueID: id, LastRead: r.LastRead, LastUID: r.LastUID, LastChange: r.LastChange, UIDs: r.UIDs}
}

func (c *Client) sendSeen(s *session, userid, id string, r seen.Record) *pending {
	c.progress("SEEN %s %s", userid, id)
	w := wireSeen(userid, id, r)
	return s.start("SEEN", w.Append(nil, client))
}

// seen brings what a user has seen of one mailbox.
func (c *Client) seen(ctx context.Context, s *session, userid, id string) error {
	r, err := c.seenOf(userid).Get(id)
	if err != nil || r == (seen.Record{}) {
		return err
	}
	return c.sendSeen(s, userid, id, r).wait(ctx)
}
