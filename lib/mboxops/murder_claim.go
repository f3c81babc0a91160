package mboxops

import (
	"context"
	"errors"
	"fmt"

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
