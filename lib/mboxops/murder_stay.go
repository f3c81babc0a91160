package mboxops

import (
	"cmp"
	"context"
	"fmt"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// stays fails with ErrMoving when one of some mailboxes, or the user whose it is, is on
// the way to another server: who would wait for the lock waits for nothing.
func (o *Ops) stays(names ...mboxname.Name) error {
	if o.Murder == nil {
		return nil
	}
	for _, n := range names {
		for _, n := range withInbox(n) {
			e, err := o.present(n)
			if err != nil {
				return err
			}
			if e != nil && e.Is(mboxlist.FlagMoving) {
				return fmt.Errorf("%s: %w", n, ErrMoving)
			}
		}
	}
	return nil
}

// lockUser takes the lock of the owner of n, unless that is on its way to another server, or
// has gone there while the lock was waited for.
func (o *Ops) lockUser(ctx context.Context, n mboxname.Name) (context.Context, func(), error) {
	before, err := o.residents(n)
	if err == nil {
		err = o.stays(n)
	}
	if err != nil {
		return ctx, nil, err
	}
	held, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return ctx, nil, err
	}
	if err := o.stayed(before); err != nil {
		unlock()
		return ctx, nil, err
	}
	return held, unlock, nil
}

// residents are those that are here, of a mailbox and the INBOX of the user whose it is: for
// stayed.
func (o *Ops) residents(names ...mboxname.Name) (all []mboxname.Name, err error) {
	if o.Murder == nil {
		return nil, nil
	}
	for _, n := range names {
		for _, n := range withInbox(n) {
			e, err := o.present(n)
			if err != nil {
				return nil, err
			}
			if isHere(e) {
				all = append(all, n)
			}
		}
	}
	return all, nil
}

// stayed fails with ErrMoving when one of some mailboxes that were here is not any more, now
// that the lock is held without which it cannot go: whatever was found out about it before
// is true of another server.
func (o *Ops) stayed(before []mboxname.Name) error {
	for _, n := range before {
		e, err := o.present(n)
		if err != nil {
			return err
		}
		if e != nil && e.Is(mboxlist.FlagRemote) {
			return fmt.Errorf("%s: %w", n, ErrMoving)
		}
	}
	return nil
}

// isHere says whether a record, nil for none, is of a mailbox of this server's.
func isHere(e *mboxlist.Entry) bool { return e != nil && !e.Is(mboxlist.FlagRemote) }

// withInbox is a mailbox and the INBOX of the user whose it is.
func withInbox(n mboxname.Name) []mboxname.Name {
	if n.Owner() == "" || n.IsInbox() {
		return []mboxname.Name{n}
	}
	return []mboxname.Name{n, mboxname.Inbox(n.Owner())}
}

// holdStill is for a change of what belongs to a mailbox and is not in it: the mailbox
// begins no move before unlock, and the error is ErrMoving when one is under way, or has
// ended while the lock was waited for. On a server without a murder nothing moves.
func (o *Ops) holdStill(ctx context.Context, n mboxname.Name) (unlock func(), err error) {
	if o.Murder == nil {
		return func() {}, nil
	}
	before, err := o.residents(n)
	if err != nil {
		return nil, err
	}
	if _, unlock, err = o.lockUser(ctx, n); err != nil {
		return nil, err
	}
	err = o.stays(n)
	for _, n := range before {
		// On a server that is no frontend nothing is left of who has gone.
		if e, look := o.present(n); err == nil && (look != nil || !isHere(e)) {
			err = cmp.Or(look, fmt.Errorf("%s: %w", n, ErrMoving))
		}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}
