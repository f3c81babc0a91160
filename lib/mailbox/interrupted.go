package mailbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// What a mailbox takes of its quota root stands in two files, its index and the
// root's, and a process may be killed between the two, or before the sinks have
// heard of the change. So whoever changes them makes a note before the first and
// withdraws it when all is done: the mailbox's unique id and the quota roots.
// Recover, in another process later, adds up the roots of notes that were not
// withdrawn, and tells the sinks.
//
// All charge a root under the user lock of the owner of the mailbox: who holds
// that exclusively finds the two in agreement, but for what a dead process left.

// notesDir is where the notes are: beside the databases, since the directory of
// the locks may not survive the machine.
func (s *Store) notesDir() string { return filepath.Join(s.opt.Layout.ConfigDir, "inflight") }

// Begin notes that a mailbox is about to be created, removed, or put under
// another name or quota root; done says that files, entry and roots agree again.
// If the process is killed in between, the roots, and the one that the mailbox is
// under by then, are put right by Recover.
func (s *Store) Begin(e *mboxlist.Entry, roots ...mboxname.Name) (done func(), err error) {
	n, err := s.note(e.UniqueID, roots...)
	if err != nil {
		return nil, err
	}
	return n.end, nil
}

// note is Begin by unique id.
func (s *Store) note(id string, roots ...mboxname.Name) (*pending, error) {
	if s.quota == nil {
		return nil, nil
	}
	return s.begin(id, roots)
}

func (s *Store) begin(id string, roots []mboxname.Name) (*pending, error) {
	text := id
	for _, r := range roots {
		if r != "" {
			text += "\x00" + string(r)
		}
	}
	n, err := s.notes.Begin(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return &pending{n}, nil
}

// noteChange is the note of a commit: of its quota roots, and that the sinks have
// to hear of it.
func (s *Store) noteChange(id string, roots map[string]quota.Usage) (*pending, error) {
	if len(s.sinks) == 0 && len(roots) == 0 {
		return nil, nil
	}
	names := make([]mboxname.Name, 0, 2)
	for root := range roots {
		names = append(names, mboxname.Name(root))
	}
	return s.begin(id, names)
}

// pending is a note; nil is none.
type pending struct{ note *inflight.Note }

func (p *pending) end() {
	if p != nil {
		p.note.End()
	}
}

// Recover puts right what processes that were killed left between the index of a
// mailbox and its quota root, or between mailboxes.db and the header, and tells
// the sinks of their changes; after a crash of the machine, it sees to all roots
// and all mailboxes that have changed lately. It is called when a process or the
// server starts; others may be at work.
func (s *Store) Recover(ctx context.Context) error {
	if s.list == nil {
		return nil
	}
	since := s.lastNotes()
	return inflight.Recover(s.notesDir(), func(f inflight.Found) error {
		if s.quota != nil {
			if err := s.recoverRoots(ctx, f); err != nil {
				return err
			}
		}
		return s.tellOf(f, since)
	})
}

func (s *Store) recoverRoots(ctx context.Context, f inflight.Found) error {
	roots, err := s.rootsOf(ctx, f)
	if err != nil {
		return err
	}
	log.Notice("quota: %d changes were interrupted, adding up %d quota roots", len(f.Notes), len(roots))
	var errs []error
	// First every mailbox gets under its root, which takes it off another
	// one: that sum may be among those that are made then.
	for _, root := range roots {
		errs = append(errs, s.each(ctx, root, func(ctx context.Context, e *mboxlist.Entry) error {
			return s.settle(ctx, e)
		}))
	}
	for _, root := range roots {
		errs = append(errs, s.Recount(ctx, root))
	}
	return errors.Join(errs...)
}

// rootsOf are the quota roots that may be wrong, in order.
func (s *Store) rootsOf(ctx context.Context, f inflight.Found) (roots []mboxname.Name, err error) {
	for _, text := range f.Notes {
		part := strings.Split(text, "\x00")
		for _, r := range part[1:] {
			roots = append(roots, mboxname.Name(r))
		}
		e, err := s.list.LookupID(part[0])
		if errors.Is(err, mboxlist.ErrNotFound) || err == nil && !local(e) {
			continue
		}
		if err != nil {
			return nil, err
		}
		root, ok, err := s.quota.Find(e.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			roots = append(roots, root)
		} else if err := s.settle(ctx, e); err != nil {
			return nil, err
		}
	}
	if f.Down {
		err = s.quota.Scan("", func(q *quota.Root) error {
			roots = append(roots, q.Name)
			return nil
		})
	}
	slices.Sort(roots)
	return slices.Compact(roots), err
}

// Recount adds up a quota root from the headers of the mailboxes that come under
// it, and stores the sum. A mailbox whose header names another root or another
// name than mailboxes.db gives it is put right first. A root that does not exist
// is no error. Nobody is in a mailbox of the owners meanwhile.
func (s *Store) Recount(ctx context.Context, root mboxname.Name) error {
	ctx, unlock, err := s.LockRoot(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	var sum quota.Usage
	err = s.each(ctx, root, func(ctx context.Context, e *mboxlist.Entry) error {
		u, err := s.usageUnder(ctx, e, root)
		sum = sum.Add(u)
		return err
	})
	if lost(err) {
		// What the root has of that mailbox is a better guess than nothing.
		log.Err("IOERROR: quota root %s: reconstruct first: %v", root, err)
		return nil
	}
	if err != nil {
		return err
	}
	err = s.quota.Update(root, func(q *quota.Root) error {
		if q.Used != sum {
			log.Notice("quota root %s: usage was %v, now %v", root, q.Used, sum)
		}
		q.Used = sum
		return nil
	})
	if errors.Is(err, quota.ErrNotFound) {
		return nil
	}
	return err
}

// each calls fn for every mailbox that comes under a root.
func (s *Store) each(ctx context.Context, root mboxname.Name, fn func(context.Context, *mboxlist.Entry) error) error {
	boxes, err := s.below(root)
	if err != nil {
		return err
	}
	for _, e := range boxes {
		is, ok, err := s.quota.Find(e.Name)
		if err != nil {
			return err
		}
		if !ok || is != root {
			continue
		}
		if err := fn(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return nil
}

// usageUnder is what a mailbox uses, once its header says what mailboxes.db says.
func (s *Store) usageUnder(ctx context.Context, e *mboxlist.Entry, root mboxname.Name) (u quota.Usage, err error) {
	if err := s.underRoot(ctx, e, root); err != nil {
		return u, err
	}
	err = s.View(ctx, e, func(v *View) error {
		u = usage(v.Header())
		u[quota.Mailbox] = 1
		return nil
	})
	return u, err
}

// lost says that a mailbox cannot be read before reconstruct has been there.
func lost(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrBadFormat)
}

// local says whether a mailbox has files here.
func local(e *mboxlist.Entry) bool {
	return !e.Deleted() && (!e.Is(mboxlist.FlagRemote) || e.Incoming()) && !e.Is(mboxlist.FlagReserved) && !e.Is(mboxlist.FlagIntermediate)
}

// settle is underRoot for a mailbox that somebody may be renaming: its entry is
// looked up again under the owner's lock. One that is gone, or that cannot be read
// before reconstruct has been there, is left alone.
func (s *Store) settle(ctx context.Context, e *mboxlist.Entry) error {
	owner := e.Name.Owner()
	ctx, unlock, err := s.LockUser(ctx, owner)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := s.list.LookupID(e.UniqueID)
	if errors.Is(err, mboxlist.ErrNotFound) || err == nil && (!local(now) || now.Name.Owner() != owner) {
		return nil // another owner's: who gave it away had both locks, and did it whole
	}
	if err != nil {
		return err
	}
	root, _, err := s.quota.Find(now.Name)
	if err == nil {
		err = s.underRoot(ctx, now, root)
	}
	if lost(err) {
		return nil
	}
	return err
}

// underRoot has the header of a mailbox name the quota root and the name that
// the mailbox has.
func (s *Store) underRoot(ctx context.Context, e *mboxlist.Entry, root mboxname.Name) error {
	m, err := s.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx = As(ctx, e)
	right := false
	err = m.View(ctx, func(v *View) error {
		right = m.hf.QuotaRoot == string(root) && (m.hf.Name == "" || m.hf.Name == string(e.Name)) && m.hf.ACL == e.ACL
		return nil
	})
	if err != nil || right {
		return err
	}
	return m.Update(ctx, func(tx *Tx) error {
		tx.SetName()
		tx.SetACL(e.ACL) // what nobody acknowledged is not in mailboxes.db, which counts
		tx.SetQuotaRoot(string(root))
		return nil
	})
}

// below are the mailboxes with files here at and below a name; those of a domain
// when the name is that of its root.
func (s *Store) below(root mboxname.Name) (all []*mboxlist.Entry, err error) {
	collect := func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && local(e) {
			all = append(all, e)
		}
		return err
	}
	if root.Local() == "" {
		return all, s.list.Scan(root.DB(), collect)
	}
	return all, s.list.ScanTree(root, collect)
}

// LockRoot takes the user locks of all who have mailboxes under a quota root, in
// order, as Rename takes two: nobody charges it meanwhile. See LockUser.
func (s *Store) LockRoot(ctx context.Context, root mboxname.Name) (context.Context, func(), error) {
	owners := []string{root.Owner()}
	if !root.IsUserTree() {
		boxes, err := s.below(root)
		if err != nil {
			return ctx, nil, err
		}
		for _, e := range boxes {
			owners = append(owners, e.Name.Owner())
		}
	}
	slices.Sort(owners)
	var held []func()
	unlock := func() {
		for _, u := range held {
			u()
		}
	}
	for _, o := range slices.Compact(owners) {
		c, u, err := s.LockUser(ctx, o)
		if err != nil {
			unlock()
			return ctx, nil, err
		}
		ctx, held = c, append(held, u)
	}
	return ctx, unlock, nil
}
