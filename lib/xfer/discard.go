package xfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
)

// discard removes what a move that came to nothing has left at the other server. A copy
// that nobody knows would one day be announced, by a ctl_mboxlist -m there after the
// master has lost its list.
func (v *move) discard(ctx context.Context) error {
	err := v.tryDiscard(ctx)
	if err != nil {
		err = fmt.Errorf("what is left on %s: %w", v.server, err)
	}
	return err
}

func (v *move) tryDiscard(ctx context.Context) error {
	there, err := v.there(ctx)
	if err != nil || len(there) == 0 {
		return err
	}
	// Nobody moves it meanwhile, and is about to decide on what is removed here.
	held, unlock, err := v.site.Mailboxes.LockUser(ctx, v.cargo().Owner())
	if err != nil {
		return err
	}
	defer unlock()
	here, stage, err := v.site.Ops.Underway(v.cargo())
	switch {
	case err != nil || stage > mboxops.Settled:
		return err
	case stage == mboxops.NotHere:
		// It was removed, or moved to a third server, which may be moving it to that one by
		// now. A server like ours lets nobody remove what has arrived; of another one nobody
		// can know.
		if ours, err := v.client.Ours(held); err != nil || !ours {
			return err
		}
	}
	ids := map[string]bool{}
	for _, e := range here {
		ids[e.UniqueID] = true
	}
	var names []mboxname.Name
	for _, r := range there {
		switch gone, err := v.isLeftover(held, r, ids); {
		case err != nil:
			return err
		case gone:
			names = append(names, r.Name)
		}
	}
	slices.Reverse(names) // those below others first
	return v.client.Discard(held, names)
}

// there is what the other server has of the names.
func (v *move) there(ctx context.Context) ([]*csync.Mailbox, error) {
	if v.User != "" {
		return v.client.There(ctx, v.User)
	}
	return v.client.Named(ctx, v.Mailbox)
}

// isLeftover says whether a mailbox of the other server is a copy that is of no use: ids
// are those of the mailboxes that are here, empty when none is.
func (v *move) isLeftover(ctx context.Context, r *csync.Mailbox, ids map[string]bool) (bool, error) {
	if r.Name.IsDeleted() && len(ids) > 0 && !ids[r.UniqueID] {
		return false, nil
	}
	state, location, err := v.site.Ops.Elsewhere(ctx, r.Name)
	server, _, _ := mupdate.SplitLocation(location)
	switch {
	case err != nil:
		return false, err
	case state == mupdate.Absent:
		return true, nil
	case len(ids) > 0 || strings.EqualFold(server, v.server):
		return false, nil
	case state == mupdate.Reserved:
		return false, fmt.Errorf("%s: %w", r.Name, mboxops.ErrMoving)
	}
	return true, nil
}

// arrived says whether the murder has the mailbox of a cargo at a server.
func (m *Mover) arrived(ctx context.Context, j journey) (bool, error) {
	name := j.Mailbox
	if j.User != "" {
		name = mboxname.Inbox(j.User)
	}
	state, location, err := m.site.Ops.Elsewhere(ctx, name)
	server, _, _ := mupdate.SplitLocation(location)
	return state == mupdate.Active && strings.EqualFold(server, j.server), err
}

// discardAt is discard for who finds a move that died.
func (m *Mover) discardAt(ctx context.Context, j journey) error {
	v := &move{Mover: m, Item: Item{User: j.User, Mailbox: j.Mailbox}, server: j.server}
	if err := v.open(ctx); err != nil {
		return err
	}
	defer v.client.Close(context.WithoutCancel(ctx))
	return v.discard(ctx)
}
