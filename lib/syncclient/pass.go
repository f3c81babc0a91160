package syncclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// maxPasses is how often the folders of a user are looked at again because something
// was renamed.
const maxPasses = 3

// boxesAtOnce is how many mailboxes of one user are worked on at the same time.
const boxesAtOnce = 8

// errAgain says that names changed and that the replica is to be asked again.
var errAgain = errors.New("names changed at the replica")

// pass is one look at the mailboxes of a user, or of a cohort, here and there.
type pass struct {
	c *Client
	s *session

	deleting bool // what was deleted here is deleted there
	legacy   bool // scripts go to a replica that does not take them as mailboxes
	// gone are names of which the log says that a mailbox was deleted: another one
	// of the name may be there again.
	gone map[mboxname.Name]bool

	locals  []*localBox
	damaged error // the first of a mailbox that could not be read
	remotes []*csync.Mailbox
	cached  map[string]bool // unique ids of remotes that were not asked for
}

// run brings the replica's mailboxes to the state of the local ones. The error is
// errAgain, or the first of all mailboxes: one that cannot be brought along does not
// keep the others from it.
func (p *pass) run(ctx context.Context) error {
	if err := p.folders(ctx); err != nil {
		return err
	}
	there := byID(p.remotes)
	var todo []*localBox
	failed := p.damaged
	for _, l := range p.locals {
		same, err := p.unchanged(ctx, l, there[l.entry.UniqueID])
		if err != nil && failed == nil {
			failed = err
		}
		if err == nil && !same {
			todo = append(todo, l)
		}
	}
	if err := p.reserve(ctx, todo, there); err != nil {
		return errors.Join(failed, err)
	}
	parts := inboxesFirst(todo, there)
	if p.c.opt.Moving {
		parts = levels(todo, there)
	}
	for _, part := range parts {
		if err := p.updateAll(ctx, part, there); err != nil {
			if failed == nil {
				failed = err
			}
			if p.over(err) {
				break
			}
		}
	}
	return failed
}

// inboxesFirst parts the INBOXes that the replica does not have from the rest: to it, a
// user without one is nobody, and can have no other mailboxes.
func inboxesFirst(todo []*localBox, there map[string]*csync.Mailbox) [][]*localBox {
	var first, rest []*localBox
	for _, l := range todo {
		if l.entry.Name.IsInbox() && there[l.entry.UniqueID] == nil {
			first = append(first, l)
		} else {
			rest = append(rest, l)
		}
	}
	return [][]*localBox{first, rest}
}

// levels parts mailboxes so that what is to be made comes after what it is below: for
// a mailbox without one above it Cyrus makes that, and tells the murder of it.
func levels(todo []*localBox, there map[string]*csync.Mailbox) [][]*localBox {
	var parts [][]*localBox
	for _, l := range todo {
		depth := 0
		if there[l.entry.UniqueID] == nil {
			depth = strings.Count(string(l.entry.Name), ".")
		}
		for len(parts) <= depth {
			parts = append(parts, nil)
		}
		parts[depth] = append(parts[depth], l)
	}
	return parts
}

// updateAll updates mailboxes beside each other. The error is the first.
func (p *pass) updateAll(ctx context.Context, todo []*localBox, there map[string]*csync.Mailbox) error {
	return each(todo, boxesAtOnce, p.over, func(l *localBox) error {
		err := p.update(ctx, l, there[l.entry.UniqueID])
		if errors.Is(err, errVanished) {
			// It went away meanwhile; the log has more about it.
			log.Debug("%v", err)
			return nil
		}
		if err != nil && !p.over(err) {
			log.Err("SYNCERROR: %s: %v", l.entry.Name, err)
		}
		return err
	})
}

// over says that an error is the end of the session, and not of one mailbox.
func (p *pass) over(err error) bool {
	return isLost(err) || p.s.c.Err() != nil || errors.Is(err, context.Canceled)
}

// folders deletes and renames what has other names here. The error is errAgain when
// it did.
func (p *pass) folders(ctx context.Context) error {
	states := make([]*csync.Mailbox, len(p.locals))
	for i, l := range p.locals {
		states[i] = l.state
	}
	plan := planFolders(states, p.remotes, p.judge, p.park)
	for _, n := range plan.Left {
		log.Debug("%s is at the replica alone, and stays", n)
	}
	var jobs []*pending
	for _, n := range plan.Deletes {
		p.c.progress("%s %s", p.c.opt.item("UNMAILBOX"), n)
		p.c.cache.forget(n)
		jobs = append(jobs, p.s.start(p.c.opt.item("UNMAILBOX"), client.Text(string(n))))
	}
	for _, r := range plan.Renames {
		p.c.progress("%s %s -> %s (%s)", p.c.opt.item("RENAME"), r.Old, r.New, r.Partition)
		p.c.cache.forget(r.Old, r.New)
		jobs = append(jobs, p.s.start(p.c.opt.item("RENAME"), r.Append(nil, client)))
	}
	var failed error
	for _, j := range jobs {
		if err := j.wait(ctx); err != nil && failed == nil && !errors.Is(err, csync.ErrNonexistent) {
			failed = err
		}
	}
	for _, r := range plan.Stuck {
		if failed == nil {
			failed = fmt.Errorf("%s cannot become %s at the replica, where another mailbox has the name: %w", r.Old, r.New, csync.ErrMoved)
		}
	}
	if failed == nil && !plan.empty() {
		return errAgain
	}
	return failed
}

// judge decides about a mailbox of the replica that is not among the local ones.
func (p *pass) judge(r *csync.Mailbox) fate {
	if isEntry(r) {
		return leave
	}
	if p.gone[r.Name] && !p.known(r.UniqueID) {
		return remove
	}
	if p.c.opt.Stray != nil && p.c.opt.Stray(r) {
		return remove
	}
	if !p.deleting {
		return leave
	}
	e, err := p.c.site.List.LookupID(r.UniqueID)
	if err != nil {
		e, err = p.c.site.List.Lookup(r.Name)
	}
	if err == nil && e.Deleted() && e.UniqueID == r.UniqueID {
		return remove
	}
	return leave
}

// known says whether a mailbox lives here, under whatever name.
func (p *pass) known(id string) bool {
	e, err := p.c.site.List.LookupID(id)
	return err == nil && !e.Deleted()
}

func (p *pass) park(m *csync.Mailbox) mboxname.Name {
	return parkedName(m.Name, m.UniqueID, func(n mboxname.Name) bool {
		_, err := p.c.site.List.Lookup(n)
		return !errors.Is(err, mboxlist.ErrNotFound) ||
			slices.ContainsFunc(p.remotes, func(r *csync.Mailbox) bool { return r.Name == n })
	})
}

// reserve asks the replica which of the new messages it has in its mailboxes, and
// has it keep them at hand.
func (p *pass) reserve(ctx context.Context, todo []*localBox, there map[string]*csync.Mailbox) error {
	var names []string
	for _, r := range p.remotes {
		if !isEntry(r) {
			names = append(names, string(r.Name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	wanted := make(map[string][]guid.GUID)
	for _, l := range todo {
		if isEntry(l.state) {
			continue
		}
		list, err := p.c.fresh(ctx, l.entry, there[l.entry.UniqueID])
		if errors.Is(err, errVanished) {
			continue
		}
		if err != nil {
			return err
		}
		for _, m := range list {
			if !p.s.holds(stagedKey{l.state.Partition, m.guid}) {
				wanted[l.state.Partition] = append(wanted[l.state.Partition], m.guid)
			}
		}
	}
	for partition, guids := range wanted {
		slices.SortFunc(guids, compareGUID)
		guids = slices.Compact(guids)
		for part := range slices.Chunk(guids, maxReserve) {
			if err := p.reservePart(ctx, &csync.Reserve{Partition: partition, Mailboxes: names, GUIDs: part}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pass) reservePart(ctx context.Context, r *csync.Reserve) error {
	missing, err := p.s.reserve(ctx, r)
	if err != nil {
		return err
	}
	lacks := make(map[guid.GUID]bool, len(missing))
	for _, g := range missing {
		lacks[g] = true
	}
	for _, g := range r.GUIDs {
		if !lacks[g] {
			p.s.hold(stagedKey{r.Partition, g})
		}
	}
	return nil
}

func compareGUID(a, b guid.GUID) int { return slices.Compare(a[:], b[:]) }
