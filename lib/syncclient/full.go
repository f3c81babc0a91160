package syncclient

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// errBodies says that the mailbox changed so that more messages of the replica are
// needed than were fetched.
var errBodies = errors.New("more messages are needed")

// maxMerges is how often that may happen.
const maxMerges = 5

// full compares every record of a mailbox with the replica's, makes one history of
// the two here, and sends the result.
func (p *pass) full(ctx context.Context, l *localBox) error {
	p.c.progress("FULLMAILBOX %s", l.entry.Name)
	p.c.cache.forget(l.entry.Name)
	remote, err := p.s.getFull(ctx, l.entry.Name)
	if err != nil {
		return err
	}
	if remote == nil || isEntry(remote) {
		return p.send(ctx, l, nil, nil)
	}
	if remote.UniqueID != l.entry.UniqueID {
		return fmt.Errorf("%s: %w", l.entry.Name, csync.ErrMoved)
	}
	if err := p.merge(ctx, l, remote); err != nil {
		return err
	}
	remote, err = p.ask(ctx, l)
	if err != nil {
		return err
	}
	return p.send(ctx, l, remote, nil)
}

// merge makes one history of two: what it takes from the replica is fetched while
// nothing is locked, and the plan made again under the lock.
func (p *pass) merge(ctx context.Context, l *localBox, remote *csync.Mailbox) error {
	bodies := newBodies(p, l.entry, remote)
	defer bodies.remove()
	var plan mergePlan
	err := p.c.view(ctx, l.entry, func(v *mailbox.View) (err error) {
		plan, err = p.c.planOf(v, l.entry, remote)
		return err
	})
	for try := 0; err == nil; try++ {
		if err = bodies.fetch(ctx, plan.bodies()); err != nil {
			break
		}
		if plan, err = p.c.carryOut(ctx, l.entry, remote, bodies); !errors.Is(err, errBodies) || try == maxMerges {
			break
		}
		err = nil
	}
	if err != nil {
		return boxError(l.entry, err)
	}
	if len(plan.Remote) == 0 {
		return nil
	}
	x := csync.Expunge{Name: remote.Name, UniqueID: remote.UniqueID, UIDs: plan.Remote}
	return p.s.apply(ctx, "EXPUNGE", x.Append(nil, client))
}

// planOf plans the merge of the mailbox that v shows.
func (c *Client) planOf(v *mailbox.View, e *mboxlist.Entry, remote *csync.Mailbox) (mergePlan, error) {
	local, err := c.reader.Mailbox(v, settled(e))
	if err != nil {
		return mergePlan{}, err
	}
	var list []csync.Record
	err = c.reader.Records(v, 0, func(_ int, r *csync.Record) error {
		list = append(list, cloneRecord(r))
		return nil
	})
	if err != nil {
		return mergePlan{}, err
	}
	return planMerge(local, remote, list, remote.Records.List(), v.Header().DeletedModSeq), nil
}

// carryOut does what a plan has to be done here. The plan is the one that was carried
// out; with errBodies, it is one for which bodies are missing.
func (c *Client) carryOut(ctx context.Context, e *mboxlist.Entry, remote *csync.Mailbox, b *bodies) (plan mergePlan, err error) {
	err = c.site.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
		if plan, err = c.planOf(&tx.View, e, remote); err != nil {
			return err
		}
		if !b.have(plan.bodies()) {
			return errBodies
		}
		return (&merger{tx: tx, ops: c.site.Ops, entry: e, remote: remote, bodies: b}).do(&plan)
	})
	if err != nil {
		return plan, err
	}
	log.Notice("SYNCNOTICE: %s: merged with the replica's: %d changes here, %d messages expunged there",
		e.Name, len(plan.Steps), len(plan.Remote))
	if plan.UIDValidity != 0 {
		err = c.follow(ctx, e, higher{UIDValidity: plan.UIDValidity})
	}
	return plan, err
}

// cloneRecord is a record that may be kept.
func cloneRecord(r *csync.Record) csync.Record {
	k := *r
	k.Flags = append([]string(nil), r.Flags...)
	k.Annotations = append([]csync.Annotation(nil), r.Annotations...)
	return k
}
