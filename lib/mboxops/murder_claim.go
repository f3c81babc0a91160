package mboxops

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// What happens to a mailbox of a backend happens in three steps, the order that
// MUPDATE was made for: the new name is reserved at the master, then it changes
// here, then the master is told that it is there, and an old name that it is gone.
// Cyrus makes its change before the first; so a master that says no, or is away,
// leaves less behind with us.
//
// Before the first word a debt is noted for each name. A process that is killed
// anywhere leaves the notes, and who finds them makes the master agree with
// mailboxes.db: see settle.

// Local is the operations that tell the murder nothing: for mailboxes that are on
// their way to or from another backend, whose new place is announced when they have
// arrived.
func (o *Ops) Local() *Ops {
	l := *o
	if o.Murder != nil {
		l.arriving, l.master = true, o.Murder
	}
	l.Murder = nil
	return &l
}

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

// announced says whether the murder hears of a mailbox.
func (o *Ops) announced(e *mboxlist.Entry) bool {
	return o.Murder != nil && !e.Is(mboxlist.FlagIntermediate) && !e.Is(mboxlist.FlagRemote)
}

// reserve claims a name for a mailbox on a partition. The errors are ErrReserved
// and ErrNoMaster.
func (o *Ops) reserve(ctx context.Context, n mboxname.Name, partition string) (*debt, error) {
	if o.Murder == nil {
		return nil, nil
	}
	d, err := o.debt(n)
	if err != nil {
		return nil, err
	}
	err = o.Murder.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		err := c.Reserve(ctx, n, o.Murder.location(partition))
		if errors.Is(err, mupdate.ErrRefused) {
			return fmt.Errorf("%w: %w", ErrReserved, err)
		}
		return err
	})
	if err == nil {
		return d, nil
	}
	log.Err("MUPDATE: can't reserve mailbox entry for '%s': %v", n, err)
	d.refused(err)
	return nil, err
}

// activate tells the master that e is there as it says.
func (d *debt) activate(ctx context.Context, e *mboxlist.Entry) error {
	if d == nil {
		return nil
	}
	// The change is made here: who asked for it may go, the master is told.
	ctx = context.WithoutCancel(ctx)
	err := d.o.Murder.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		return c.Activate(ctx, e.Name, d.o.Murder.location(e.Partition), e.ACL)
	})
	if err != nil {
		log.Err("MUPDATE: can't commit mailbox entry for '%s': %v", e.Name, err)
	}
	return err
}

// announceACL tells the master of the new access list of a mailbox that still has
// the old one here. A mailbox that another backend has in the murder is not taken
// away from it: the error is ErrReserved, and ctl_mboxlist -m says what is to go.
func (o *Ops) announceACL(ctx context.Context, e *mboxlist.Entry, list string) (*debt, error) {
	if !o.announced(e) {
		return nil, nil
	}
	d, err := o.debt(e.Name)
	if err != nil {
		return nil, err
	}
	m := o.Murder
	err = m.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		if err := m.notElsewhere(ctx, c, e.Name); err != nil {
			return err
		}
		return c.Activate(ctx, e.Name, m.location(e.Partition), list)
	})
	if err != nil {
		log.Err("MUPDATE: can't commit mailbox entry for '%s': %v", e.Name, err)
		d.refused(err)
		return nil, err
	}
	return d, nil
}

// notElsewhere fails with ErrReserved for a name that is active at another server.
func (m *Murder) notElsewhere(ctx context.Context, c *mupdate.Client, n mboxname.Name) error {
	e, err := c.Find(ctx, n)
	switch {
	case errors.Is(err, mupdate.ErrNotFound):
		return nil
	case err != nil:
		return err
	case e.State == mupdate.Active && !m.has(&e):
		return fmt.Errorf("%w: %s is at %s", ErrReserved, n, e.Location)
	}
	return nil
}

// announceMove does a move for a murder: see move.
func (o *Ops) announceMove(ctx context.Context, e *mboxlist.Entry, to mboxname.Name, partition string, modseq uint64) (err error) {
	was, err := o.List.Lookup(e.Name) // e may have an access list already that the record will get
	if err != nil {
		return err
	}
	if to == e.Name {
		return o.announcePartition(ctx, e, partition, modseq)
	}
	claim, err := o.reserve(ctx, to, partition)
	if err != nil {
		return err
	}
	defer func() { claim.end(ctx, err) }()
	old, err := o.debt(e.Name)
	if err != nil {
		return err
	}
	if err := o.moveAt(ctx, e, to, partition, modseq); err != nil {
		old.end(ctx, err)
		return err
	}
	if err := claim.activate(ctx, e); err != nil {
		logged("moving back", e.Name, o.moveBack(context.WithoutCancel(ctx), e, was))
		old.end(ctx, err)
		return err
	}
	old.settle(ctx)
	return nil
}

// moveBack undoes a move that the master did not hear of.
func (o *Ops) moveBack(ctx context.Context, e, was *mboxlist.Entry) error {
	modseq, err := o.nextFolderModSeq(ctx, e)
	if err != nil {
		return err
	}
	e.ACL = was.ACL
	return o.moveAt(ctx, e, was.Name, was.Partition, modseq)
}

// announcePartition moves a mailbox to another partition. The master is asked before,
// so that one who is away makes it fail before the messages are copied. The new
// place it can be told later.
func (o *Ops) announcePartition(ctx context.Context, e *mboxlist.Entry, partition string, modseq uint64) error {
	m := o.Murder
	err := m.do(ctx, func(ctx context.Context, c *mupdate.Client) error { return m.notElsewhere(ctx, c, e.Name) })
	if err != nil {
		return err
	}
	return o.following(ctx, e, func() error { return o.moveAt(ctx, e, e.Name, partition, modseq) }, e.Name)
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

// kick has the frontend part of this server, where it has one, hear of a change
// before who made it is answered.
func (o *Ops) kick(ctx context.Context) {
	if o.Murder == nil || !o.Murder.opt.Client.Kicks {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, o.Murder.opt.Client.Timeout)
	defer cancel()
	if err := o.Murder.opt.Client.Kick(ctx); err != nil {
		log.Err("%v", err)
	}
}
