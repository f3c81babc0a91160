package syncclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// User brings all that belongs to a user to the replica. A user without an INBOX here
// is nobody: that is no error, and nothing is deleted.
func (c *Client) User(ctx context.Context, userid string) error {
	c.progress("USER %s", userid)
	release, err := c.locks.take(ctx, userid)
	if err != nil {
		return err
	}
	defer release()
	err = c.do(ctx, func(ctx context.Context, s *session) error { return c.user(ctx, s, userid) })
	if err == nil {
		c.report.Count(1, 0, 0)
	}
	return err
}

func (c *Client) user(ctx context.Context, s *session, userid string) error {
	for range maxPasses {
		there, err := s.getUser(ctx, userid)
		if err != nil {
			return err
		}
		inbox, err := c.entry(mboxname.Inbox(userid))
		if err != nil {
			return err
		}
		if inbox == nil || inbox.Is(mboxlist.FlagIntermediate) {
			c.progress("Does not exist locally %s", userid)
			return nil
		}
		p := &pass{c: c, s: s, deleting: true, remotes: there.Mailboxes}
		if err := c.lookAll(ctx, p, userid); err != nil {
			return err
		}
		err = p.run(ctx)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil && p.over(err) {
			return err
		}
		return firstError(err,
			c.quotas(ctx, s, p.locals, there.Quotas),
			c.subs(ctx, s, userid, there.Subs),
			c.scripts(ctx, s, userid, there.Scripts),
			c.seens(ctx, s, userid, there.Seen))
	}
	return fmt.Errorf("%s: names changed again and again: %w", userid, csync.ErrChanged)
}

// firstError is errors in the order of their weight: the first that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lookAll looks at all mailboxes of a user, and at those that the replica still has
// as the user's and that now live elsewhere.
func (c *Client) lookAll(ctx context.Context, p *pass, userid string) error {
	entries, err := c.owned(userid)
	if err != nil {
		return err
	}
	have := make(map[string]bool, len(entries))
	for _, e := range entries {
		have[e.UniqueID] = true
	}
	for _, r := range p.remotes {
		if have[r.UniqueID] || isEntry(r) {
			continue
		}
		e, err := c.site.List.LookupID(r.UniqueID)
		if err == nil && c.isOurs(e) && !e.Is(mboxlist.FlagIntermediate) && c.wanted(e.Name) {
			have[e.UniqueID] = true
			entries = append(entries, e)
		}
	}
	return c.lookEach(ctx, p, entries)
}

// lookEach reads the state of mailboxes. One that is damaged is an error of its own,
// which p remembers, and does not keep the others from being replicated.
func (c *Client) lookEach(ctx context.Context, p *pass, entries []*mboxlist.Entry) error {
	for _, e := range entries {
		l, err := c.look(ctx, e)
		switch {
		case err == nil:
			p.locals = append(p.locals, l)
		case errors.Is(err, errVanished):
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p.damaged == nil:
			p.damaged = err
		}
	}
	return nil
}

// Meta brings a user's seen state, subscriptions and scripts to the replica.
func (c *Client) Meta(ctx context.Context, userid string) error {
	c.progress("META %s", userid)
	release, err := c.locks.take(ctx, userid)
	if err != nil {
		return err
	}
	defer release()
	return c.do(ctx, func(ctx context.Context, s *session) error {
		there, err := s.getMeta(ctx, userid)
		if err != nil {
			return err
		}
		return firstError(
			c.seens(ctx, s, userid, there.Seen),
			c.subs(ctx, s, userid, there.Subs),
			c.scripts(ctx, s, userid, there.Scripts))
	})
}

// Mailboxes brings mailboxes to the replica, and those that the names once meant.
// Nothing is deleted but what gone names: there the log says that a mailbox was.
func (c *Client) Mailboxes(ctx context.Context, names []mboxname.Name, gone map[mboxname.Name]bool) error {
	for range maxPasses {
		users := owners(names)
		release, err := c.locks.take(ctx, users...)
		if err != nil {
			return err
		}
		var more []mboxname.Name
		err = c.do(ctx, func(ctx context.Context, s *session) (err error) {
			more, err = c.mailboxes(ctx, s, names, gone)
			return err
		})
		release()
		if err != nil || len(more) == 0 {
			return err
		}
		names = append(names, more...)
	}
	return fmt.Errorf("%s: names changed again and again: %w", names[0], csync.ErrChanged)
}

// owners are the users whose mailboxes names are.
func owners(names []mboxname.Name) []string {
	var users []string
	for _, n := range names {
		users = append(users, n.Owner())
	}
	return users
}

// mailboxes works on the mailboxes of some names. more are names that have to be
// worked on with them: where mailboxes live now that the replica has under the names.
func (c *Client) mailboxes(ctx context.Context, s *session, names []mboxname.Name, gone map[mboxname.Name]bool) (more []mboxname.Name, err error) {
	for again := 0; again < maxPasses; again++ {
		p := &pass{c: c, s: s, legacy: true, gone: gone, cached: make(map[string]bool)}
		ask := names
		var entries []*mboxlist.Entry
		for _, n := range names {
			e, err := c.entry(n)
			if err != nil {
				return nil, err
			}
			if e == nil {
				continue
			}
			entries = append(entries, e)
			for _, old := range c.former(e) {
				if !slices.Contains(ask, old) {
					ask = append(slices.Clip(ask), old)
				}
			}
		}
		if err := c.lookEach(ctx, p, entries); err != nil {
			return nil, err
		}
		if err := p.lookThere(ctx, ask, again == 0); err != nil {
			return nil, err
		}
		if more := p.elsewhere(names); len(more) > 0 {
			return more, nil
		}
		if err := p.run(ctx); !errors.Is(err, errAgain) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: names changed again and again: %w", names[0], csync.ErrChanged)
}

// lookThere finds what the replica has of some names, from the cache as far as that
// may be relied on.
func (p *pass) lookThere(ctx context.Context, ask []mboxname.Name, useCache bool) error {
	var unknown []mboxname.Name
	line := p.c.words("MAILBOXES")
	for _, n := range ask {
		if m := p.c.cache.get(n); m != nil && useCache && p.c.opt.UseCache {
			p.remotes = append(p.remotes, m)
			p.cached[m.UniqueID] = true
			line.add("(" + string(n) + ")")
			continue
		}
		unknown = append(unknown, n)
		line.add(string(n))
	}
	line.print()
	list, err := p.s.getMailboxes(ctx, unknown)
	if err != nil {
		return err
	}
	for _, m := range list {
		// It may be remembered under another name.
		p.remotes = slices.DeleteFunc(p.remotes, func(r *csync.Mailbox) bool { return r.UniqueID == m.UniqueID })
		delete(p.cached, m.UniqueID)
		p.remotes = append(p.remotes, m)
	}
	return nil
}

// elsewhere are the names, not among names, of mailboxes that the replica has and that
// live under those names here.
func (p *pass) elsewhere(names []mboxname.Name) (more []mboxname.Name) {
	for _, r := range p.remotes {
		if isEntry(r) || slices.ContainsFunc(p.locals, func(l *localBox) bool { return l.entry.UniqueID == r.UniqueID }) {
			continue
		}
		e, err := p.c.site.List.LookupID(r.UniqueID)
		if err == nil && p.c.isOurs(e) && !e.Is(mboxlist.FlagIntermediate) && !slices.Contains(names, e.Name) {
			more = append(more, e.Name)
		}
	}
	return more
}
