package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/acl"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
)

// verify says whether rc can get mail from a sender now.
func (d *Deliverer) verify(ctx context.Context, rc *Recipient, e Envelope) (err error) {
	if rc.entry, err = d.top(ctx, rc, e.Relayed); err != nil {
		return err
	}
	if e.Relayed && rc.Server() != "" {
		return fmt.Errorf("%s is not here for who sent it here, but on %s: %w", rc.entry.Name, rc.Server(), ErrRemote)
	}
	if rc.User == "" {
		if err := post(rc.entry, e.Sender); err != nil {
			return err
		}
	}
	if !e.IgnoreQuota && rc.Server() == "" { // others look at their quotas themselves
		if err := d.room(rc.entry.Name, e.Size); err != nil {
			return err
		}
	}
	if rc.User != "" && d.deny(rc.User, d.opts.Service) {
		return fmt.Errorf("%s: %w", rc.User, ErrDenied)
	}
	return nil
}

// top finds the mailbox that an address stands and falls with.
// Nothing is made for a relayed message.
func (d *Deliverer) top(ctx context.Context, rc *Recipient, relayed bool) (*mboxlist.Entry, error) {
	n := rc.Top()
	if n == "" {
		return nil, fmt.Errorf("no name: %w", ErrNotFound)
	}
	e, err := d.lookup(n)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrMoving) {
		e, err = d.again(ctx, n, e, err)
	}
	if !errors.Is(err, ErrNotFound) {
		return e, err
	}
	if rc.User != "" && !d.front && !relayed {
		e, err := d.autocreate(ctx, rc.User)
		if errors.Is(err, mboxops.ErrReserved) { // by another server, just now
			e, err = d.again(ctx, n, e, err)
		}
		return e, err
	}
	if d.opts.Fuzzy && rc.User == "" {
		if rc.Folder = d.fuzzy(rc.Address); rc.Folder != nil {
			return d.lookup(rc.Mailbox())
		}
	}
	return nil, err
}

// again is lookup when the list, which may lag behind the murder's, has caught up; without
// that it is e and err.
func (d *Deliverer) again(ctx context.Context, n mboxname.Name, e *mboxlist.Entry, err error) (*mboxlist.Entry, error) {
	if d.kick == nil {
		return e, err
	}
	if kick := d.kick(ctx); kick != nil {
		log.Err("%v", kick)
		return e, err
	}
	return d.lookup(n)
}

// lookup finds a mailbox to which mail can be delivered.
func (d *Deliverer) lookup(n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := d.site.List.Lookup(n)
	switch {
	case err != nil:
		return nil, err
	case e.Deleted() || e.Is(mboxlist.FlagIntermediate) || n.IsDeleted():
		return nil, fmt.Errorf("%s: %w", n, ErrNotFound)
	case e.Is(mboxlist.FlagReserved) && d.far, e.Is(mboxlist.FlagMoving):
		return nil, fmt.Errorf("%s: %w", n, ErrMoving)
	case e.Is(mboxlist.FlagRemote) && d.far && e.Server != "":
		return e, nil
	case e.Is(mboxlist.FlagRemote):
		return nil, fmt.Errorf("%s: %w", n, ErrRemote)
	case e.Is(mboxlist.FlagReserved):
		return nil, fmt.Errorf("%s: %w", n, ErrMoving)
	}
	return e, nil
}

// autocreate makes the INBOX of a user, where autocreate_post and
// autocreate_users say so.
func (d *Deliverer) autocreate(ctx context.Context, user string) (*mboxlist.Entry, error) {
	inbox := mboxname.Inbox(user)
	if !d.site.Ops.AutocreatesOnDelivery() || inbox.Check() != nil {
		return nil, fmt.Errorf("%s: %w", inbox, ErrNotFound)
	}
	who := d.rules.State(user)
	if !slices.ContainsFunc(d.opts.AutoUsers, who.Member) {
		return nil, fmt.Errorf("%s: %w", inbox, ErrNotFound)
	}
	err := d.site.Ops.Autocreate(ctx, &mboxops.Who{
		UserID: user, Admin: who.IsAdmin, Proxy: who.IsProxy,
		Rights: func(_ mboxname.Name, list string) acl.Rights { return acl.My(list, who.Member) },
	})
	if err != nil {
		return nil, err
	}
	return d.lookup(inbox)
}

// post says whether a sender may post to a mailbox. One that he may not look up
// does not exist for him.
func post(e *mboxlist.Entry, sender *Sender) error {
	r := acl.My(e.ACL, sender.Member)
	switch {
	case r&acl.Post != 0:
		return nil
	case r&acl.Lookup != 0:
		return fmt.Errorf("%s: %w", e.Name, ErrPermission)
	}
	return fmt.Errorf("%s: %w", e.Name, ErrNotFound)
}

// room says whether a mailbox's quota root lets a message of size in. Unless
// the site is strict a message may go over the limit, and only the next one is
// refused.
func (d *Deliverer) room(n mboxname.Name, size int64) error {
	root, ok, err := d.site.Quota.Find(n)
	if err != nil || !ok {
		return err
	}
	return d.roomIn(root, size)
}

func (d *Deliverer) roomIn(root mboxname.Name, size int64) error {
	q, err := d.site.Quota.Get(root)
	if errors.Is(err, quota.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for r := range quota.NumResources {
		if q.Limit[r] >= 0 && q.Used[r] > q.Limit[r]*quota.Unit[r] && r != quota.Mailbox {
			return fmt.Errorf("quota root %s: %s: %d of %d: %w", root, quota.Names[r], q.Used[r], q.Limit[r], quota.ErrOver)
		}
	}
	if !d.opts.StrictQuota {
		return nil
	}
	return q.CheckAll(quota.Usage{quota.Storage: size, quota.Message: 1})
}
