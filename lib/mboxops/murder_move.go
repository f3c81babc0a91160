package mboxops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
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

// Underway says how far the move of a cargo is, and of which mailboxes: intermediate
// ones are none. Of a user whose mailboxes are in part gone the rest tells.
func (o *Ops) Underway(c Cargo) (all []*mboxlist.Entry, stage Stage, err error) {
	if all, err = o.cargo(c); err != nil {
		return nil, NotHere, err
	}
	for _, e := range all {
		switch {
		case e.Is(mboxlist.FlagMoving) && e.Is(mboxlist.FlagRemote):
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
// or here. The errors are ErrNoMaster and ErrMasterFailed.
func (o *Ops) Elsewhere(ctx context.Context, n mboxname.Name) (state mupdate.State, location string, err error) {
	m := o.Murder
	err = m.do(ctx, func(ctx context.Context, c *mupdate.Client) error {
		has, err := c.Find(ctx, n)
		if errors.Is(err, mupdate.ErrNotFound) {
			return nil
		}
		if err == nil && !m.has(&has) {
			state, location = has.State, has.Location
		}
		return err
	})
	return state, location, err
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

// Leave removes from here what has been announced by the other server: all that is
// decided of a cargo. What the user has seen of mailboxes that stay here is kept. The
// murder is told nothing.
func (o *Ops) Leave(ctx context.Context, c Cargo) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, c.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	all, stage, err := o.Underway(c)
	if err != nil || stage != Decided {
		return err
	}
	inboxID := o.InboxID(c.User)
	if c.User != "" {
		defer change.Begin(o.Journal, change.Event{Kind: change.UserRemoved, User: c.User})()
	}
	for _, e := range slices.Backward(all) {
		if !e.Is(mboxlist.FlagMoving) {
			continue // of the name that somebody else has now
		}
		if e.Name.IsInbox() {
			// The user is gone with the INBOX: who finds it finds all of this too.
			if err := o.leaveUser(c.User, inboxID); err != nil {
				return err
			}
		}
		if err := o.leave(ctx, e); err != nil {
			return err
		}
	}
	if c.User == "" {
		return o.leaveRoot(c.Mailbox)
	}
	// What a session has put to the INBOX's place until that was no more.
	if err := o.moveSeen(c.User, inboxID, ""); err != nil {
		return err
	}
	return o.leaveLevels(c)
}

// leaveRoot removes the quota root that a mailbox was, unless others come under it.
func (o *Ops) leaveRoot(n mboxname.Name) error {
	if _, err := o.Quota.Get(n); err != nil {
		if errors.Is(err, quota.ErrNotFound) {
			return nil
		}
		return err
	}
	below, err := o.tree(n)
	if err != nil || len(below) > 0 {
		return err
	}
	return o.Quota.Delete(n)
}

// leave removes one mailbox: files, then the record, by which it is found again until
// all is gone.
func (o *Ops) leave(ctx context.Context, e *mboxlist.Entry) error {
	home := *e
	atHome(&home)
	root, _, err := o.Quota.Find(e.Name)
	if err != nil {
		return err
	}
	done, err := o.Mailboxes.Begin(&home, root)
	if err != nil {
		return err
	}
	defer o.removing(e.Name)()
	if err := o.Mailboxes.RemoveFrozen(ctx, &home); err != nil {
		return err
	}
	if err := o.Annotations.Drop(e.UniqueID); err != nil {
		logged("annotations of", e.Name, err)
	}
	if err := o.leaveRecord(e); err != nil {
		return err
	}
	o.tell(&home)
	done()
	log.Notice("Moved mailbox %s to %s", e.Name, e.Server)
	return nil
}

// leaveRecord leaves of a mailbox what this server is to know of it: where it is, when
// this one is a frontend too, else a tombstone.
func (o *Ops) leaveRecord(e *mboxlist.Entry) error {
	home := *e
	atHome(&home)
	modseq, err := o.Mailboxes.NextFolderModSeq(&home, e.FolderModSeq)
	if err != nil {
		return err
	}
	return o.List.Update(func(tx *mboxlist.Tx) error {
		if o.Murder != nil && o.Murder.opt.Unified {
			if err := tx.Remove(e.Name); err != nil {
				return err
			}
			return tx.Put(&mboxlist.Entry{
				Name: e.Name, Type: mboxlist.With("e", mboxlist.FlagRemote),
				Server: e.Server, EmptyPartition: true, ACL: e.ACL,
			})
		}
		if e.Name.IsDeleted() {
			return tx.Remove(e.Name)
		}
		// A tombstone is not of what was on its way.
		if err := tx.Put(&home); err != nil {
			return err
		}
		return tx.Delete(e.Name, modseq)
	})
}

// leaveLevels removes what was there for the children of a user's mailboxes alone.
func (o *Ops) leaveLevels(c Cargo) error {
	rest, err := o.OfUser(c.User)
	for _, e := range slices.Backward(rest) {
		if err == nil && e.Is(mboxlist.FlagIntermediate) {
			err = o.entomb(e)
		}
	}
	return err
}

// leaveUser removes what belongs to a user who has moved, but for the seen state,
// which goes to where it is looked for of a user without an INBOX here.
func (o *Ops) leaveUser(userid, inboxID string) error {
	if err := o.dropRoots(mboxname.Inbox(userid)); err != nil {
		return err
	}
	if inboxID != "" {
		if err := o.moveSeen(userid, inboxID, ""); err != nil {
			return err
		}
	}
	return o.dropFiles(userid, inboxID, func(suffix string) bool { return suffix != "seen" })
}

// moveSeen brings what a user has seen from where it is kept with an INBOX of one id to
// where it is with another, "" for none. Where there is something already, as a session
// leaves it that was at it meanwhile, of each mailbox the later record counts.
func (o *Ops) moveSeen(userid, fromID, toID string) error {
	from, to := o.Layout.UserFile(userid, "seen", fromID), o.Layout.UserFile(userid, "seen", toID)
	if _, err := os.Lstat(from); errors.Is(err, os.ErrNotExist) || from == to {
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		if err := mergeSeen(o.Seen.For(userid, fromID), o.Seen.For(userid, toID)); err != nil {
			return err
		}
		return os.Remove(from)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func mergeSeen(from, to *seen.DB) error {
	return from.Scan(func(id string, r seen.Record) error {
		has, err := to.Get(id)
		if err != nil || has.LastChange > r.LastChange || has.LastChange == r.LastChange && has.LastUID >= r.LastUID {
			return err
		}
		return to.Put(id, r)
	})
}

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
