package mboxops

import (
	"context"
	"errors"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// Yield is for a move that is not decided, and whose copies were adopted at the other server
// nevertheless, while this one was away: what is there is what counts. Of what the murder has
// there by now the mailboxes that are here go as if they were deleted here, with delay, so that
// an administrator finds in them what the copies lack. What it has not stays, and where nothing
// would be kept of what is deleted, all does. The murder is told nothing.
func (o *Ops) Yield(ctx context.Context, c Cargo) error {
	if !o.opt.DelayedDelete {
		return nil
	}
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, c.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	all, stage, err := o.Underway(c)
	if err != nil || stage == NotHere || stage == Decided {
		return err
	}
	var gone []*mboxlist.Entry
	aside, theirs := map[mboxname.Name]bool{}, []*mboxlist.Entry{}
	for _, e := range all {
		has, here, err := o.InMurder(ctx, e.Name)
		if err != nil {
			return err
		}
		if has.State == mupdate.Active && !here && !e.Name.IsDeleted() {
			gone, aside[e.Name] = append(gone, e), true
			theirs = append(theirs, leftTo(e, has.Server()))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := o.leaveDecided(ctx, c, gone, aside); err != nil || !o.Murder.opt.Unified {
		return err
	}
	for _, e := range theirs {
		if err := o.List.Update(func(tx *mboxlist.Tx) error { return errors.Join(tx.Remove(e.Name), tx.Put(e)) }); err != nil {
			return err
		}
		d, err := o.debt(e.Name)
		if err != nil {
			return err
		}
		d.settle(ctx)
	}
	return nil
}
