package mboxops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// Mailboxes on their way to another server of the murder say so in mailboxes.db, in
// records that are written and changed all at once:
//
//	"em"   they are under way. What is here is the truth; nobody uses it meanwhile.
//	"emr"  it is decided: all of them are at the other server, to which they belong
//	       from now on. What is here is frozen, and goes when the murder has been told.
//
// Who makes records "em" holds the owner's lock until they are something else. So
// whoever gets that lock and finds "em" sees a move that died, and puts it back;
// one that finds "emr" may go on only forward.

// A Cargo is what moves at once: a user with all mailboxes, deleted ones too, or, without
// a user, one mailbox.
type Cargo struct {
	User    string
	Mailbox mboxname.Name // the one; of a user it is not looked at
}

// Owner is whose lock a move of it holds.
func (c Cargo) Owner() string {
	if c.User != "" {
		return c.User
	}
	return c.Mailbox.Owner()
}

func (c Cargo) String() string {
	if c.User != "" {
		return c.User
	}
	return string(c.Mailbox)
}

// A Stage is how far a move is.
type Stage int

const (
	NotHere  Stage = iota // there is no such mailbox
	Settled               // it is here, and nobody moves it
	UnderWay              // it is moved, and what is here is the truth
	Decided               // it is at the other server
)

// IsDecided says whether a mailbox moves and is at the other server: see Cargo.
func IsDecided(e *mboxlist.Entry) bool {
	return e.Is(mboxlist.FlagMoving) && e.Is(mboxlist.FlagRemote)
}

// Underway says how far the move of a cargo is, and of which mailboxes: intermediate
// ones are none. Of a user whose mailboxes are in part gone the rest tells.
func (o *Ops) Underway(c Cargo) (all []*mboxlist.Entry, stage Stage, err error) {
	if all, err = o.cargo(c); err != nil {
		return nil, NotHere, err
	}
	for _, e := range all {
		switch {
		case IsDecided(e):
			stage = Decided
		case e.Is(mboxlist.FlagMoving):
			stage = max(stage, UnderWay)
		default:
			stage = max(stage, Settled)
		}
	}
	return all, stage, nil
}

// cargo are the mailboxes of a cargo that are here, INBOX first.
func (o *Ops) cargo(c Cargo) ([]*mboxlist.Entry, error) {
	var all []*mboxlist.Entry
	if c.User != "" {
		var err error
		if all, err = o.OfUser(c.User); err != nil {
			return nil, err
		}
	} else if e, err := o.present(c.Mailbox); err != nil {
		return nil, err
	} else if e != nil {
		all = append(all, e)
	}
	return slices.DeleteFunc(all, func(e *mboxlist.Entry) bool {
		remote := e.Is(mboxlist.FlagRemote) && !e.Is(mboxlist.FlagMoving)
		return e.Is(mboxlist.FlagIntermediate) || remote
	}), nil
}

// Depart begins a move to a server: the mailboxes are "em" and, at the master,
// reserved. The caller holds the owner's lock, and ends with Return or Decide. With an
// error nothing has changed. The errors are ErrNotFound, ErrMoving, ErrNoMurder,
// ErrNoMaster, ErrMasterFailed, and ErrReserved where the murder has one of them at
// another server.
func (o *Ops) Depart(ctx context.Context, c Cargo, server string) ([]*mboxlist.Entry, error) {
	if o.Murder == nil {
		return nil, ErrNoMurder
	}
	all, err := o.settled(c)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if err := o.mayDepart(ctx, e); err != nil {
			return nil, err
		}
	}
	if err := o.setMoving(all, func(e *mboxlist.Entry) {
		e.Type, e.Server = mboxlist.With(e.Type, mboxlist.FlagMoving), server
	}); err != nil {
		return nil, err
	}
	for _, e := range all {
		if err := o.deactivate(ctx, e); err != nil {
			logged("moving back", e.Name, o.Return(context.WithoutCancel(ctx), c))
			return nil, err
		}
	}
	return all, nil
}

// MayDepart is what Depart finds out before it changes anything, of one of the
// mailboxes.
func (o *Ops) MayDepart(ctx context.Context, c Cargo) error {
	if o.Murder == nil {
		return ErrNoMurder
	}
	all, err := o.settled(c)
	if err != nil {
		return err
	}
	return o.mayDepart(ctx, all[0])
}

// settled are the mailboxes of a cargo that nobody moves. The errors are ErrNotFound
// and ErrMoving.
func (o *Ops) settled(c Cargo) ([]*mboxlist.Entry, error) {
	all, stage, err := o.Underway(c)
	switch {
	case err != nil:
		return nil, err
	case stage == NotHere:
		return nil, fmt.Errorf("%s: %w", c, ErrNotFound)
	case stage != Settled:
		return nil, fmt.Errorf("%s: %w", c, ErrMoving)
	}
	return all, nil
}

// mayDepart says whether the murder has a mailbox here, or nowhere.
func (o *Ops) mayDepart(ctx context.Context, e *mboxlist.Entry) error {
	state, location, err := o.Elsewhere(ctx, e.Name)
	if err == nil && state != mupdate.Absent {
		err = &masterError{is: ErrReserved, text: fmt.Sprintf("%s is at %s", e.Name, location)}
	}
	return err
}

// Elsewhere says what the murder has of a name at another server: Absent is nothing,
// or here. The errors are those of InMurder.
func (o *Ops) Elsewhere(ctx context.Context, n mboxname.Name) (state mupdate.State, location string, err error) {
	has, here, err := o.InMurder(ctx, n)
	if here {
		return mupdate.Absent, "", err
	}
	return has.State, has.Location, err
}

// InMurder is what the murder has of a name, Absent for nothing, and whether it has it at
// this server. The errors are ErrNoMaster and ErrMasterFailed.
func (o *Ops) InMurder(ctx context.Context, n mboxname.Name) (has mupdate.Entry, here bool, err error) {
	err = o.Murder.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		e, err := c.Find(ctx, n)
		switch {
		case errors.Is(err, mupdate.ErrNotFound):
			e, err = mupdate.Entry{Name: n}, nil
		case err != nil:
			return err
		}
		has, here = e, o.Murder.has(&e)
		return nil
	})
	return has, here, err
}

// deactivate has the master keep the name of a mailbox for us, and tell nobody that
// there is one.
func (o *Ops) deactivate(ctx context.Context, e *mboxlist.Entry) error {
	m := o.Murder
	err := m.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		err := c.Deactivate(ctx, e.Name, m.location(e.Partition))
		switch {
		case errors.Is(err, mupdate.ErrNotActive):
			return nil // reserved, by us: mayDepart has seen it
		case errors.Is(err, mupdate.ErrNotFound):
			return c.Reserve(ctx, e.Name, m.location(e.Partition))
		}
		return err
	})
	if err != nil {
		log.Err("MUPDATE: can't deactivate mailbox entry '%s': %v", e.Name, err)
	}
	return err
}

// setMoving changes records, all at once.
func (o *Ops) setMoving(all []*mboxlist.Entry, change func(*mboxlist.Entry)) error {
	return o.List.Update(func(tx *mboxlist.Tx) error {
		for _, e := range all {
			now := *e
			change(&now)
			now.MTime = 0
			if err := tx.Put(&now); err != nil {
				return err
			}
			*e = now
		}
		return nil
	})
}

// atHome is e as it is when nobody moves it.
func atHome(e *mboxlist.Entry) {
	e.Type = mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote)
	e.Server = ""
}

// Return ends a move that is not decided: all is here as it was, and the master is
// told so, now or later. Where nothing moves it does nothing. The error is ErrMoving
// when it is too late.
func (o *Ops) Return(ctx context.Context, c Cargo) error {
	return o.giveBack(ctx, c, func(stage Stage) bool { return stage == UnderWay })
}

// TakeBack is Return of a move that is decided, too: an administrator has said that
// what is here is what counts.
func (o *Ops) TakeBack(ctx context.Context, c Cargo) error {
	return o.giveBack(ctx, c, func(stage Stage) bool { return stage >= UnderWay })
}

func (o *Ops) giveBack(ctx context.Context, c Cargo, may func(Stage) bool) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, c.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	all, stage, err := o.Underway(c)
	switch {
	case err != nil || stage < UnderWay:
		return err
	case !may(stage):
		return fmt.Errorf("%s: %w", c, ErrMoving)
	}
	var debts []*debt
	for _, e := range all {
		d, err := o.debt(e.Name)
		if err != nil {
			return err
		}
		defer d.settle(ctx) // when the records are what they were, or not
		debts = append(debts, d)
		home := *e
		atHome(&home)
		// One without files is found to have none by whoever opens it.
		if err := o.Mailboxes.Thaw(ctx, &home); err != nil && !errors.Is(err, mailbox.ErrNotFound) {
			return err
		}
	}
	if err := o.setMoving(all, atHome); err != nil {
		return err
	}
	for _, e := range all {
		o.tell(e)
	}
	log.Notice("%s: %d mailboxes stay here", c, len(debts))
	return nil
}

// Decide makes the mailboxes the other server's, which has all of them: "emr". Nobody
// who waits for the owner's lock, or has one of them open, finds it any more. With an
// error they are under way, as before.
func (o *Ops) Decide(ctx context.Context, all []*mboxlist.Entry) error {
	for _, e := range all {
		home := *e
		atHome(&home)
		if err := o.Mailboxes.Freeze(ctx, &home); err != nil {
			return err
		}
	}
	return o.setMoving(all, func(e *mboxlist.Entry) { e.Type = mboxlist.With(e.Type, mboxlist.FlagRemote) })
}
