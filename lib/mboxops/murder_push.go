package mboxops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
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
	for _, step := range []func() error{q.list, q.scan, q.removeGhosts, q.find, q.compare, q.activate, q.unflag, q.wipe} {
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
	found   map[mboxname.Name]bool // here, and listed
	unknown map[mboxname.Name]bool // here, and not listed
	scanned uint64                 // generation of mailboxes.db at the scan
}

// pushed is a mailbox that is here, as the master should have it.
type pushed struct {
	mupdate.Entry
	moving, decided bool // see Cargo
}

// list asks what the master has of this server.
func (q *push) list() error {
	prefix := mupdate.Location(q.Murder.opt.Server, "")
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

// wrong logs what is wrong, and says whether it is to be put right.
func (q *push) wrong(format string, n mboxname.Name) bool {
	text := fmt.Sprintf(format, n)
	log.Warning("%s", text)
	if q.Found != nil {
		q.Found(text)
		return false
	}
	return true
}

// scan reads the mailboxes that are here.
func (q *push) scan() error {
	q.scanned = q.List.Generation()
	q.unknown = map[mboxname.Name]bool{}
	q.found = make(map[mboxname.Name]bool, len(q.listed))
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
		}, moving, moving && r.Is(mboxlist.FlagRemote)})
		if _, ok := q.listed[n]; ok {
			q.found[n] = true
		} else {
			q.unknown[n] = true
		}
		return nil
	})
}

// removeGhosts removes entries of ours that no mailbox is behind, the last first as
// Cyrus does. In a murder where every server is a frontend a record may be the
// slave's, which is no mailbox.
func (q *push) removeGhosts() error {
	for _, n := range slices.Backward(q.order) {
		if q.found[n] {
			continue
		}
		e, err := q.present(n)
		if err != nil {
			return err
		}
		if e != nil && (q.announced(e) || e.Is(mboxlist.FlagMoving)) {
			continue // it came after the scan: who made it has announced it
		}
		delete(q.listed, n)
		if !q.wrong("Remove from MUPDATE: %s", n) {
			continue
		}
		if err := q.settle(q.ctx, q.c, n); err != nil {
			return &PushError{"couldn't mupdate delete " + string(n), asError(err)}
		}
	}
	return nil
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
		case has.State == mupdate.Reserved && !q.Murder.has(&has):
			// Another server is making it, or moving it here: then it will be announced,
			// and is all there is.
			log.Warning("MUPDATE: mailbox '%s' is here and, to the murder, reserved at %s", b.Name, has.Location)
		case has.State == mupdate.Active && !q.Murder.has(&has):
			if q.KeepLocal && !b.decided {
				log.Err("MUPDATE: mailbox '%s' is here and, to the murder, at %s", b.Name, has.Location)
			}
			if (!q.KeepLocal || b.decided) && q.wrong("Remove Local Mailbox: %s", b.Name) {
				q.toWipe = append(q.toWipe, b.Name)
			}
		case b.decided && !q.Authoritative:
			log.Warning("MUPDATE: the move of '%s' is decided, and not told to the murder yet", b.Name)
		case b.moving:
			if q.wrong("Remove remote flag on: %s", b.Name) {
				q.toFree = append(q.toFree, b.Name)
			}
		case has.State == mupdate.Active && has.Location == b.Location && mboxlist.NormalACL(has.ACL) == mboxlist.NormalACL(b.ACL):
		default:
			if q.wrong("Force Activate: %s", b.Name) {
				q.toTell = append(q.toTell, b)
			}
		}
	}
	return nil
}

// batch is how many mailboxes are announced before it is looked whether one of them
// has changed meanwhile.
const batch = 8192

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
		if err := q.again(entries); err != nil {
			return asError(err)
		}
	}
	return nil
}

func (q *push) complain(format string, n mboxname.Name) {
	if q.Complain != nil {
		q.Complain(fmt.Sprintf(format, n))
	}
}

// again looks whether mailboxes that were announced are still so. Who changes one
// now tells the master itself, after us: only what happened between the scan and
// here counts, and who was at it then had the owner's lock and has given it back
// when it is waited for.
func (q *push) again(told []mupdate.Entry) error {
	waited := map[string]bool{}
	for i := range told {
		owner := told[i].Name.Owner()
		if waited[owner] {
			continue
		}
		if err := q.Mailboxes.AwaitUser(q.ctx, owner); err != nil {
			return err
		}
		waited[owner] = true
	}
	if q.scanned != 0 && q.List.Generation() == q.scanned {
		return nil
	}
	for i := range told {
		e, err := q.present(told[i].Name)
		if err == nil && (e == nil || !q.agrees(e, &told[i])) {
			err = q.settle(q.ctx, q.c, told[i].Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// free gives a mailbox back whose move died, with all that moved at once. Who is still at it
// has the owner's lock until the move is over.
func (q *push) free(n mboxname.Name) error {
	back := q.Return
	if q.Authoritative {
		back = q.TakeBack
	}
	if err := back(q.ctx, cargoOf(n)); err != nil && !errors.Is(err, ErrMoving) {
		return &PushError{"couldn't perform update to un-remote-flag " + string(n), err}
	}
	return nil
}

// cargoOf is the cargo that a mailbox moves with.
func cargoOf(n mboxname.Name) Cargo { return Cargo{User: n.Owner(), Mailbox: n} }

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
	switch {
	case IsDecided(e):
		// It is the one that was moved there. The rest of its user goes when it is
		// announced, which the INBOX is last.
		if n.IsInbox() {
			return q.Leave(ctx, cargoOf(n), nil)
		}
		return q.leave(ctx, e)
	case e.Is(mboxlist.FlagMoving):
		// A move that died; another one has the name.
		atHome(e)
		if err := q.Mailboxes.Thaw(ctx, e); err != nil && !errors.Is(err, mailbox.ErrNotFound) {
			return err
		}
	}
	return q.Local().delete(ctx, e, uint32(time.Now().Unix()), DeleteParams{Force: true})
}
