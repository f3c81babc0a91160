package mboxops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/change"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// DeleteReplica removes a mailbox at once, however damaged its files are, as the
// other server has. A tombstone stays, or, when there are mailboxes below it, an
// intermediate one of its id. The error is ErrNotFound.
func (o *Ops) DeleteReplica(ctx context.Context, n mboxname.Name) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	e, err := o.ours(n)
	if err != nil {
		return err
	}
	return o.destroyReplica(ctx, e)
}

// ours is live for a mailbox that has files here, though another server may have it still:
// see mboxlist.Entry.Incoming. For who brings mailboxes from another server it is those
// alone: what has arrived is clients' to change, and a move that was taken up again late,
// or given up late, must not undo what they did.
func (o *Ops) ours(n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := o.live(n)
	if err == nil && e.Foreign() {
		return nil, fmt.Errorf("%s is on %s: %w", n, e.Server, ErrNotFound)
	}
	if err == nil && o.arriving && !e.Incoming() && !e.Is(mboxlist.FlagIntermediate) {
		return nil, fmt.Errorf("%s has arrived: %w", n, ErrNotFound)
	}
	return e, err
}

func (o *Ops) destroyReplica(ctx context.Context, e *mboxlist.Entry) error {
	return o.destroyWith(ctx, e, true, func(e *mboxlist.Entry) error {
		if !e.Is(mboxlist.FlagIntermediate) && !e.Name.IsDeleted() {
			below, err := o.tree(e.Name)
			if err != nil {
				return err
			}
			if len(below) > 0 {
				return o.hollow(e)
			}
		}
		return o.entombAt(e, e.FolderModSeq)
	})
}

// hollow makes the record of a mailbox that of an intermediate one.
func (o *Ops) hollow(e *mboxlist.Entry) error {
	h := *e
	h.Type = mboxlist.With(string(e.Kind()), mboxlist.FlagIntermediate)
	h.Partition, h.ACL, h.UIDValidity, h.MTime, h.History = "", "", 0, 0, nil
	return o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(&h) })
}

// UserRemoval says how much of a user DeleteUser removes.
type UserRemoval struct {
	// Deleted mailboxes that are kept for a while go too.
	Deleted bool
	// Forget leaves no tombstones.
	Forget bool
}

// DeleteUser removes a user at once: subscriptions, mailboxes with the INBOX last,
// and, with it, files of the user and quota roots. Mailboxes that were deleted
// with delay stay unless r says otherwise. That there is no such user is no error:
// then what is left of one goes.
func (o *Ops) DeleteUser(ctx context.Context, userid string, r UserRemoval) error {
	inbox := mboxname.Inbox(userid)
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, userid)
	if err != nil {
		return err
	}
	defer unlock()
	defer change.Begin(o.Journal, change.Event{Kind: change.UserRemoved, User: userid})()
	stone, err := o.List.Lookup(inbox)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	inboxID := o.InboxID(userid)
	all, err := o.userMailboxes(inbox, r.Deleted)
	if err != nil {
		return err
	}
	entomb := func(e *mboxlist.Entry) error { return o.entombAt(e, e.FolderModSeq) }
	if r.Forget {
		entomb = func(e *mboxlist.Entry) error {
			return o.List.Update(func(tx *mboxlist.Tx) error { return tx.Remove(e.Name) })
		}
	}
	for _, e := range all {
		if err := o.destroyWith(ctx, e, true, entomb); err != nil {
			return err
		}
	}
	if r.Forget {
		if err := o.forgetStones(inbox); err != nil {
			return err
		}
	}
	if err := o.dropRoots(inbox); err != nil {
		return err
	}
	// What is kept by the id of an INBOX that has another name now belongs to
	// the user of that name.
	if stone != nil && stone.Deleted() && !stone.Is(mboxlist.FlagLegacy) {
		return nil
	}
	return o.dropUserFiles(userid, inboxID)
}

// userMailboxes are the records of a user's mailboxes, in the order in which they
// are to be removed: those below others first.
func (o *Ops) userMailboxes(inbox mboxname.Name, deleted bool) ([]*mboxlist.Entry, error) {
	all, err := o.tree(inbox)
	if err != nil {
		return nil, err
	}
	top, err := o.present(inbox)
	if err != nil {
		return nil, err
	}
	if top != nil {
		all = slices.Insert(all, 0, top)
	}
	if deleted {
		old, err := o.deletedOf(inbox)
		if err != nil {
			return nil, err
		}
		all = append(all, old...)
	}
	all = slices.DeleteFunc(all, (*mboxlist.Entry).Foreign)
	slices.Reverse(all)
	return all, nil
}

// OfUser are the records of a user's mailboxes, INBOX first, intermediate ones
// too, and then those of the ones that were deleted with delay.
func (o *Ops) OfUser(userid string) ([]*mboxlist.Entry, error) {
	inbox := mboxname.Inbox(userid)
	all, err := o.userMailboxes(inbox, false)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	deleted, err := o.deletedOf(inbox)
	return append(all, deleted...), err
}

// deletedOf are the mailboxes of a user that were deleted with delay.
func (o *Ops) deletedOf(inbox mboxname.Name) (all []*mboxlist.Entry, err error) {
	err = o.List.ScanTree(deletedTop(inbox), func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagDeleted) {
			return nil
		}
		e, err := v.Entry()
		if err == nil && !e.Foreign() {
			all = append(all, e)
		}
		return err
	})
	return all, err
}

// deletedTop is above all names that n and the mailboxes below it have once they
// are deleted.
func deletedTop(n mboxname.Name) mboxname.Name {
	deleted := n.Deleted(0)
	top, _ := deleted.Parent()
	return top
}

// forgetStones removes the tombstones at and below a name.
func (o *Ops) forgetStones(top mboxname.Name) error {
	return o.List.Update(func(tx *mboxlist.Tx) error {
		var stones []mboxname.Name
		err := tx.ScanTree(top, func(v mboxlist.View) error {
			if v.Is(mboxlist.FlagDeleted) {
				stones = append(stones, v.Name())
			}
			return nil
		})
		for _, n := range stones {
			if err == nil {
				err = tx.Remove(n)
			}
		}
		return err
	})
}
