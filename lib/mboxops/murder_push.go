package mboxops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// PushOptions are the ways of Push.
type PushOptions struct {
	// Authoritative announces all mailboxes that are here, whoever else has them.
	Authoritative bool
	// KeepLocal removes no mailbox that is here.
	KeepLocal bool
	// Found is told of what is wrong, in the words of ctl_mboxlist -m -w, and then
	// nothing is changed.
	Found func(text string)
	// Confirm is asked before n mailboxes that are here are removed; nil is yes.
	Confirm func(n int) bool
	// Complain is told, in Cyrus's words, of a mailbox that the master would not
	// take; the push goes on.
	Complain func(text string)
}

// A PushError is what a push ended with, in the words of ctl_mboxlist -m.
type PushError struct {
	Text string
	Err  error
}

func (e *PushError) Error() string { return e.Text }
func (e *PushError) Unwrap() error { return e.Err }

// ErrCancelled is the error of a push whose removals were not confirmed.
var ErrCancelled = errors.New("the removal of local mailboxes was not confirmed")

// pushLimit bounds a push: lists of millions take minutes.
const pushLimit = 30 * time.Minute

// Push makes the master agree with the mailboxes that are here: those that it lacks,
// or has wrong, are announced, and entries of ours without a mailbox removed. A
// mailbox that another server has in the murder goes from here, as if it were
// deleted; in a murder where every server is a frontend it stays.
//
// Others may be at work: what happens to a mailbox meanwhile is what the master has
// in the end.
func (o *Ops) Push(ctx context.Context, p PushOptions) error {
	if o.Murder == nil {
		return ErrNoMurder
	}
	ctx, cancel := context.WithTimeout(ctx, pushLimit)
	defer cancel()
	c, err := o.Murder.connect(ctx)
	if err != nil {
		return &PushError{"couldn't connect to mupdate server", err}
	}
	defer c.Close()
	q := &push{Ops: o, PushOptions: p, ctx: ctx, c: c, listed: map[mboxname.Name]mupdate.Entry{}}
	q.KeepLocal = q.KeepLocal || o.Murder.opt.Unified
	for _, step := range []func() error{q.list, q.removeGhosts, q.scan, q.find, q.compare, q.activate, q.unflag, q.wipe} {
		if err := step(); err != nil {
			return err
		}
	}
	_ = c.Logout(ctx) // all is done
	return nil
}

// push is one run of Push.
type push struct {
	*Ops
	PushOptions
	ctx context.Context
	c   *mupdate.Client

	listed  map[mboxname.Name]mupdate.Entry // what the master has of ours; later, of others
	order   []mboxname.Name                 // in which it was listed
	here    []pushed                        // in the order of mailboxes.db
	toTell  []pushed
	toFree  []mboxname.Name
	toWipe  []mboxname.Name
	unknown map[mboxname.Name]bool // here, and not listed
}

// pushed is a mailbox that is here, as the master should have it.
type pushed struct {
	mupdate.Entry
	moving bool
}

// list asks what the master has of this server.
func (q *push) list() error {
	prefix := mupdate.Location(q.Murder.opt.Server, "")
	if q.Murder.opt.Replicated {
		prefix = ""
	}
	err := q.c.List(q.ctx, prefix, func(e mupdate.Entry) error {
		if q.Murder.has(&e) {
			q.listed[e.Name] = e
			q.order = append(q.order, e.Name)
		}
		return nil
	})
	if err != nil {
		return &PushError{"couldn't do LIST command on mupdate server", asError(err)}
	}
	return nil
}

// found logs what is wrong, and says whether it is to be put right.
func (q *push) found(format string, n mboxname.Name) bool {
	text := fmt.Sprintf(format, n)
	log.Warning("%s", text)
	if q.Found != nil {
		q.Found(text)
		return false
	}
	return true
}

// removeGhosts removes entries of ours that no mailbox is behind, the last first as
// Cyrus does. In a murder where every server is a frontend a record may be the
// slave's, which is no mailbox.
func (q *push) removeGhosts() error {
	for _, n := range slices.Backward(q.order) {
		e, err := q.present(n)
		if err != nil {
			return err
		}
		if e != nil && (q.announced(e) || e.Is(mboxlist.FlagMoving)) {
			continue
		}
		delete(q.listed, n)
		if !q.found("Remove from MUPDATE: %s", n) {
			continue
		}
		if err := q.settle(q.ctx, q.c, n); err != nil {
			return &PushError{"couldn't mupdate delete " + string(n), asError(err)}
		}
	}
	return nil
}

// scan reads the mailboxes that are here.
func (q *push) scan() error {
	q.unknown = map[mboxname.Name]bool{}
	return q.List.Scan("", func(v mboxlist.View) error {
		r, err := v.Remote(nil)
		if err != nil {
			return err
		}
		moving := r.Is(mboxlist.FlagMoving)
		if r.Is(mboxlist.FlagDeleted) || r.Is(mboxlist.FlagReserved) || r.Is(mboxlist.FlagIntermediate) || r.Is(mboxlist.FlagRemote) && !moving {
			return nil
		}
		n := v.Name()
		q.here = append(q.here, pushed{mupdate.Entry{
			State: mupdate.Active, Name: n, Location: q.Murder.location(string(r.Partition)), ACL: string(r.ACL),
		}, moving})
		if _, ok := q.listed[n]; !ok {
			q.unknown[n] = true
		}
		return nil
	})
}

// manyUnknown is from how many names on one list of everything takes less than a
// question for each.
const manyUnknown = 64

// find asks who else has what is here and was not listed.
func (q *push) find() (err error) {
	switch {
	case q.Authoritative:
		return nil
	case len(q.unknown) >= manyUnknown:
		err = q.c.List(q.ctx, "", func(e mupdate.Entry) error {
			if q.unknown[e.Name] {
				q.listed[e.Name] = e
			}
			return nil
		})
	default:
		for n := range q.unknown {
			var e mupdate.Entry
			if e, err = q.c.Find(q.ctx, n); err == nil {
				q.listed[n] = e
			} else if errors.Is(err, mupdate.ErrNotFound) {
				err = nil
			} else {
				break
			}
		}
	}
	if err != nil {
		return &PushError{"couldn't do FIND command on mupdate server", asError(err)}
	}
	return nil
}

// compare says what is to be done, in the order of mailboxes.db.
func (q *push) compare() error {
	for _, b := range q.here {
		has := q.listed[b.Name]
		switch {
		case has.State != mupdate.Absent && !q.Murder.has(&has):
			if !q.KeepLocal && q.found("Remove Local Mailbox: %s", b.Name) {
				q.toWipe = append(q.toWipe, b.Name)
			}
		case b.moving:
			if q.found("Remove remote flag on: %s", b.Name) {
				q.toFree = append(q.toFree, b.Name)
			}
		case has.State == mupdate.Active && has.Location == b.Location && mboxlist.NormalACL(has.ACL) == mboxlist.NormalACL(b.ACL):
		default:
			if q.found("Force Activate: %s", b.Name) {
				q.toTell = append(q.toTell, b)
			}
		}
	}
	return nil
}

// batch is how many mailboxes are announced before it is looked whether one of them
// has changed meanwhile.
const batch = 512

// activate announces mailboxes.
func (q *push) activate() error {
	for some := range slices.Chunk(q.toTell, batch) {
		entries := make([]mupdate.Entry, len(some))
		for i := range some {
			entries[i] = some[i].Entry
		}
		told := 0
		err := q.c.ActivateAll(q.ctx, entries, func(e mupdate.Entry, err error) {
			if told++; err != nil {
				q.complain("temporary failure storing '%s' (update continuing)", e.Name)
			}
		})
		if err != nil {
			q.complain("permanent failure storing '%s'", entries[min(told, len(entries)-1)].Name)
			return asError(err)
		}
		for i := range entries {
			if err := q.again(&entries[i]); err != nil {
				return asError(err)
			}
		}
	}
	return nil
}

func (q *push) complain(format string, n mboxname.Name) {
	if q.Complain != nil {
		q.Complain(fmt.Sprintf(format, n))
	}
}

// again looks whether a mailbox that was announced is still so. Who changes it now
// tells the master itself: only what happened between the scan and here counts, and
// who was at it then had the lock.
func (q *push) again(told *mupdate.Entry) error {
	ctx, unlock, err := q.Mailboxes.LockUser(q.ctx, told.Name.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	e, err := q.present(told.Name)
	if err != nil || e != nil && q.agrees(e, told) {
		return err
	}
	return q.settle(ctx, q.c, told.Name)
}

// unflag ends moves to another server that nothing came of.
func (q *push) unflag() error {
	for _, n := range slices.Backward(q.toFree) {
		if err := q.free(n); err != nil {
			return err
		}
	}
	return nil
}

func (q *push) free(n mboxname.Name) error {
	ctx, unlock, err := q.Mailboxes.LockUser(q.ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	e, err := q.List.Lookup(n)
	if err != nil {
		return &PushError{"couldn't perform lookup to un-remote-flag " + string(n), err}
	}
	e.Type = mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote)
	e.Server, e.MTime = "", 0
	if err := q.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return &PushError{"couldn't perform update to un-remote-flag " + string(n), err}
	}
	if err := q.c.Activate(ctx, n, q.Murder.location(e.Partition), e.ACL); err != nil {
		return &PushError{"couldn't perform mupdatepush to un-remote-flag " + string(n), asError(err)}
	}
	return nil
}

// wipe removes the mailboxes that another server has.
func (q *push) wipe() error {
	if len(q.toWipe) > 0 && q.Confirm != nil && !q.Confirm(len(q.toWipe)) {
		return ErrCancelled
	}
	for _, n := range slices.Backward(q.toWipe) {
		if err := q.wipeOne(n); err != nil {
			return &PushError{"couldn't delete defunct mailbox " + string(n), err}
		}
	}
	return nil
}

// wipeOne removes a mailbox from here alone, if another server still has it.
func (q *push) wipeOne(n mboxname.Name) error {
	ctx, unlock, err := q.Mailboxes.LockUser(q.ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	has, err := q.c.Find(ctx, n)
	if errors.Is(err, mupdate.ErrNotFound) || err == nil && q.Murder.has(&has) {
		return nil // no longer
	}
	if err != nil {
		return asError(err)
	}
	e, err := q.present(n)
	if err != nil || e == nil {
		return err
	}
	// Of a move that is done only the record says so.
	e.Type = mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote)
	e.Server = ""
	return q.Local().delete(ctx, e, uint32(time.Now().Unix()), DeleteParams{Force: true})
}
