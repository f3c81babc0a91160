package mboxops

import (
	"cmp"
	"context"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/subs"
)

// User is whose per-user files are meant.
func (o *Ops) User(userid string) subs.User {
	return subs.User{ID: userid, InboxID: o.InboxID(userid)}
}

// Subscribe subscribes the caller to a mailbox, or ends that. Ending it is
// possible for any name; beginning it only for mailboxes that the caller may
// look up, unless the site lets any name be subscribed to.
func (o *Ops) Subscribe(ctx context.Context, who *Who, n mboxname.Name, on bool) error {
	if on && !o.opt.AllSubscribed {
		e, rights, err := o.seenBy(who, n)
		if err != nil {
			return err
		}
		if rights&acl.Lookup == 0 && !who.Admin {
			return fmt.Errorf("%s: %w", e.Name, ErrNotFound)
		}
	}
	unlock, err := o.holdStill(ctx, mboxname.Inbox(who.UserID))
	if err != nil {
		return err
	}
	defer unlock()
	if e, err := o.present(mboxname.Inbox(who.UserID)); err != nil || o.Murder != nil && e != nil && e.Foreign() {
		return cmp.Or(err, ErrMoving) // where they are kept another server sees to it
	}
	return o.Subs.Set(o.User(who.UserID), n, on)
}
