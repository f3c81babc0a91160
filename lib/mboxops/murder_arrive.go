package mboxops

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// TakesIn says whether CreateReplica takes in what another server still has: see
// mboxlist.Entry.Incoming.
func (o *Ops) TakesIn() bool { return o.arriving }

// arrive makes a mailbox that has come from another server one of this server: from now on
// clients find it here.
func (o *Ops) arrive(ctx context.Context, e *mboxlist.Entry) error {
	if !e.Incoming() {
		return nil
	}
	if err := o.Mailboxes.Thaw(ctx, e); err != nil {
		return err
	}
	if e.Name.IsInbox() {
		// What is the user's besides came while there was nobody here, and replicas that had
		// it then have it where nobody looks for it.
		defer change.Begin(o.Journal, change.Event{Kind: change.UserArrived, User: e.Name.Owner()})()
	}
	e.Type, e.Server, e.MTime = mboxlist.Without(e.Type, mboxlist.FlagRemote), "", 0
	if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return err
	}
	o.tell(e)
	return nil
}

// goBack makes the record of a mailbox that was arriving here, and does not any more, that
// of the server which has it. What partition it has there is the master's to know, and
// where it came under a name that was not known here, the server too; while nobody can ask,
// the record is without.
func (o *Ops) goBack(ctx context.Context, e *mboxlist.Entry) error {
	ask := *o
	if ask.Murder == nil {
		ask.Murder = o.master
	}
	inboxID := ""
	if e.Name.IsInbox() {
		inboxID = o.InboxID(e.Name.Owner())
		if err := o.unsettle(e); err != nil {
			return err
		}
	}
	known := e.Server != "" || ask.Murder != nil && ask.Murder.opt.Unified
	theirs := &mboxlist.Entry{Name: e.Name, Type: e.Type, Server: e.Server, EmptyPartition: true, ACL: e.ACL}
	err := o.List.Update(func(tx *mboxlist.Tx) error {
		if !known {
			return tx.Remove(e.Name)
		}
		return tx.Put(theirs)
	})
	if err == nil && inboxID != "" {
		// What the user has seen of others' mailboxes here is where it is looked for again.
		err = o.moveSeen(e.Name.Owner(), inboxID, "")
	}
	if err != nil || !known || ask.Murder == nil {
		return err
	}
	d, err := ask.debt(e.Name)
	if err != nil {
		return err
	}
	d.settle(ctx) // which holds the owner's lock
	return nil
}

// unsettle removes what came with the INBOX of a user who does not arrive after all, unless
// there are other mailboxes of that user here, which may have limits of their own.
func (o *Ops) unsettle(inbox *mboxlist.Entry) error {
	userid := inbox.Name.Owner()
	rest, err := o.OfUser(userid)
	if err != nil {
		return err
	}
	for _, e := range rest {
		if e.Name != inbox.Name && !e.Is(mboxlist.FlagIntermediate) {
			return nil
		}
	}
	return o.leaveUser(userid, o.InboxID(userid))
}

// placeTheirs completes a record that goBack left, unless the slave has done so, or removed
// it: what that was told last counts.
func (o *Ops) placeTheirs(e *mboxlist.Entry, has *mupdate.Entry) error {
	return o.List.Update(func(tx *mboxlist.Tx) error {
		if left, err := leftBehind(tx, e.Name); !left {
			return err
		}
		var full bool
		e.Server, e.Partition, full = mupdate.SplitLocation(has.Location)
		e.EmptyPartition = full && e.Partition == ""
		e.ACL = has.ACL
		return tx.Put(e)
	})
}

// dropTheirs removes a record that goBack left, of a mailbox that is not there any more:
// nobody would tell.
func (o *Ops) dropTheirs(n mboxname.Name) error {
	return o.List.Update(func(tx *mboxlist.Tx) error {
		if left, err := leftBehind(tx, n); !left {
			return err
		}
		return tx.Remove(n)
	})
}

// leftBehind says whether a name has the record that goBack leaves.
func leftBehind(tx *mboxlist.Tx, n mboxname.Name) (bool, error) {
	e, err := tx.Lookup(n)
	if errors.Is(err, mboxlist.ErrNotFound) {
		return false, nil
	}
	return err == nil && !e.Deleted() && e.Foreign() && e.EmptyPartition, err
}

// makeRoom removes the record of another server's mailbox from a name that one which
// arrives from there gets: it was renamed on its way.
func makeRoom(tx *mboxlist.Tx, n mboxname.Name) error {
	old, err := tx.Lookup(n)
	if errors.Is(err, mboxlist.ErrNotFound) {
		return nil
	}
	if err == nil && !old.Deleted() && old.Foreign() {
		err = tx.Remove(n)
	}
	return err
}

// Announce tells the master that a mailbox is here, whoever had it before: the last
// step of its way from another backend. The errors are ErrNoMurder, ErrNotFound,
// ErrNoMaster and ErrMasterFailed.
func (o *Ops) Announce(ctx context.Context, who *Who, n mboxname.Name) error {
	if !who.Admin {
		return ErrPermission
	}
	if o.Murder == nil {
		return ErrNoMurder
	}
	ctx, unlock, err := o.lockUser(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := o.live(n)
	if err != nil {
		return err
	}
	if who.Rights(n, e.ACL)&acl.Lookup == 0 {
		return fmt.Errorf("%s: no lookup: %w", n, ErrNotFound)
	}
	if !o.announced(e) && !e.Incoming() {
		return fmt.Errorf("%s: %w", n, ErrUnsupported)
	}
	d, err := o.debt(n)
	if err != nil {
		return err
	}
	if err = o.arrive(ctx, e); err == nil {
		err = d.activate(ctx, e)
	}
	d.end(ctx, err)
	return err
}
