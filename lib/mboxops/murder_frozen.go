package mboxops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// A copy that arrives from another server is frozen until that one has it announced. A server
// that is gone for good never does, nor removes the copy. Then an administrator says whether
// the copy is what counts from now on, or is of no use.

var (
	// ErrThird is the error of a copy of what the murder has at a third server.
	ErrThird = errors.New("the murder has it at another server")
	// ErrPartial is the error of a copy that was made while its server was still in use, and
	// may lack what came last.
	ErrPartial = errors.New("the copy may not be complete")
	// ErrOnly is the error of a copy that may be all there is.
	ErrOnly = errors.New("the copy may be all there is")
)

// Arrival is a cargo of which copies are here and frozen.
type Arrival struct {
	Cargo
	Since  time.Time       // when the first of them came
	Boxes  []mboxname.Name // those below others first, INBOX last
	Murder mupdate.Entry   // what the murder has of the last of Boxes
}

// Source is the server that the copies came from, as far as the murder knows: "" otherwise.
func (a *Arrival) Source() string { return a.Murder.Server() }

// Arrivals are all that are here, in order. The errors are ErrNoMurder, ErrNoMaster and
// ErrMasterFailed.
func (o *Ops) Arrivals(ctx context.Context) (all []*Arrival, err error) {
	if o.Murder == nil {
		return nil, ErrNoMurder
	}
	entries := map[Cargo][]*mboxlist.Entry{}
	err = o.List.Scan("", func(v mboxlist.View) error {
		if !v.Is(mboxlist.FlagRemote) {
			return nil
		}
		e, err := v.Entry()
		if err == nil && e.Incoming() {
			c := wholeOf(e.Name)
			entries[c] = append(entries[c], e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for c, some := range entries {
		a, err := o.arrival(ctx, c, some)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *Arrival) int { return cmp.Compare(a.String(), b.String()) })
	return all, nil
}

// wholeOf is the cargo that a copy is of: its user's, or itself.
func wholeOf(n mboxname.Name) Cargo {
	if user := n.Owner(); user != "" {
		return Cargo{User: user}
	}
	return Cargo{Mailbox: n}
}

func (o *Ops) arrival(ctx context.Context, c Cargo, some []*mboxlist.Entry) (*Arrival, error) {
	a := &Arrival{Cargo: c}
	for _, e := range some {
		came, err := o.cameAt(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		if a.Since.IsZero() || !came.IsZero() && came.Before(a.Since) {
			a.Since = came
		}
		a.Boxes = append(a.Boxes, e.Name)
	}
	slices.SortFunc(a.Boxes, func(a, b mboxname.Name) int {
		if a.IsInbox() != b.IsInbox() {
			return map[bool]int{true: 1, false: -1}[a.IsInbox()]
		}
		return -cmp.Compare(a.DB(), b.DB())
	})
	var err error
	a.Murder, _, err = o.InMurder(ctx, a.Boxes[len(a.Boxes)-1])
	return a, err
}

// cameAt is when a copy was made; zero of one that has lost its files.
func (o *Ops) cameAt(ctx context.Context, e *mboxlist.Entry) (at time.Time, err error) {
	err = o.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		at = time.Unix(int64(v.Header().ChangesEpoch), 0)
		return nil
	})
	if errors.Is(err, mailbox.ErrNotFound) || errors.Is(err, mailbox.ErrCorrupt) || errors.Is(err, mailbox.ErrBadFormat) {
		err = nil
	}
	return at, err
}

// Adopt makes copies this server's, as when they are announced by who sent them, INBOX last.
// When that one comes back it finds that they are. The errors are ErrThird, ErrPartial unless
// anyway is set, and those of Announce.
func (o *Ops) Adopt(ctx context.Context, a *Arrival, anyway bool) error {
	source := a.Source()
	for _, n := range a.Boxes {
		has, here, err := o.InMurder(ctx, n)
		switch {
		case err != nil:
			return err
		case has.State == mupdate.Absent || here:
		case has.Server() != source:
			return fmt.Errorf("%s: %w: %s", n, ErrThird, has.Location)
		case has.State == mupdate.Active && !anyway:
			return fmt.Errorf("%s: %w: it is in use at %s", n, ErrPartial, has.Server())
		}
	}
	for _, n := range a.Boxes {
		if err := o.Announce(ctx, Root(""), n); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

// Discard removes copies. A server that comes back and had decided on the move sends them
// again. The error is ErrOnly, unless anyway is set, of what nobody else has in use.
func (o *Ops) Discard(ctx context.Context, a *Arrival, anyway bool) error {
	for _, n := range a.Boxes {
		has, _, err := o.InMurder(ctx, n)
		if err == nil && has.State != mupdate.Active && !anyway {
			err = fmt.Errorf("%s: %w", n, ErrOnly)
		}
		if err != nil {
			return err
		}
	}
	for _, n := range a.Boxes {
		if err := o.Local().DeleteReplica(ctx, n); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}
