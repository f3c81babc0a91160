package mboxops

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// RenameParams are what a RENAME may say beyond the names.
type RenameParams struct {
	Partition string // empty is to stay where it is
	// Progress, unless nil, is told of each mailbox that was renamed.
	Progress func(from, to mboxname.Name)
}

// Rename moves a mailbox and those below it to another name, or, when the
// names are the same, a mailbox to another partition. The caller's own INBOX
// cannot be renamed so: its messages move instead, which is the caller's to do.
func (o *Ops) Rename(ctx context.Context, who *Who, from, to mboxname.Name, p RenameParams) error {
	if p.Partition != "" {
		switch {
		case !who.Admin:
			return ErrPermission
		case from != to:
			return ErrCrossMove
		}
	}
	ctx, unlock, err := o.lock(ctx, from, to)
	if err != nil {
		return err
	}
	defer o.kick(ctx)
	defer unlock()
	e, err := o.mayRename(who, from, to, p.Partition)
	if err != nil {
		return err
	}
	if from == to {
		return o.move(ctx, e, to, p.Partition)
	}
	var below []*mboxlist.Entry
	// What is renamed into itself leaves the rest where it is.
	if !from.IsAncestorOf(to) && !to.IsAncestorOf(from) {
		if below, err = o.tree(from); err != nil {
			return err
		}
	}
	for _, b := range below {
		if b.Is(mboxlist.FlagRemote) {
			return fmt.Errorf("%s is on %s: %w", b.Name, b.Server, ErrCrossMove)
		}
	}
	if err := o.roomBelow(from, to, below); err != nil {
		return err
	}
	return o.moveTree(ctx, who, e, to, below, p)
}

func (o *Ops) mayRename(who *Who, from, to mboxname.Name, partition string) (*mboxlist.Entry, error) {
	e, rights, err := o.seenBy(who, from)
	if err != nil {
		return nil, err
	}
	switch {
	case partition != "" && !o.Partitions.Has(partition):
		return nil, fmt.Errorf("%s: %w", partition, ErrUnsupported) // a server: XFER
	case partition != "" && partition == e.Partition:
		return nil, fmt.Errorf("%s: %w", to, ErrExists)
	case partition != "":
		return e, nil
	case from == to:
		return nil, ErrPermission
	}
	if from.IsInbox() || to.IsInbox() {
		if err := o.mayMoveUser(who, from, to); err != nil {
			return nil, err
		}
	}
	if rights&acl.DeleteBox == 0 && !who.Admin {
		return nil, fmt.Errorf("%s: %w", from, ErrPermission)
	}
	if from.IsDeleted() != to.IsDeleted() && !who.Admin {
		return nil, ErrPermission
	}
	if !who.Admin && !o.sameLevel(from, to) && o.hasUse(e, o.opt.UseProtect) {
		return nil, fmt.Errorf("%s: %w", from, ErrUseConflict)
	}
	if _, err := o.mayCreate(who, to); err != nil {
		return nil, err
	}
	return e, nil
}

// mayMoveUser says whether an INBOX may be renamed: only to be another user's
// INBOX, by an administrator, where the site allows it. An administrator may
// always make another mailbox, a deleted one for instance, a user's INBOX.
func (o *Ops) mayMoveUser(who *Who, from, to mboxname.Name) error {
	switch {
	case !who.Admin:
		return fmt.Errorf("%s: %w", from, ErrUnsupported)
	case !from.IsInbox() && to.IsInbox():
		return nil
	case from.IsInbox() && to.IsInbox() && o.opt.UserMoves:
		return nil
	}
	return fmt.Errorf("%s: %w", from, ErrUnsupported)
}

func (o *Ops) sameLevel(a, b mboxname.Name) bool {
	pa, ok := a.Parent()
	pb, ok2 := b.Parent()
	return ok && ok2 && pa == pb
}

// roomBelow checks, before anything is moved, that no name is taken or too
// long.
func (o *Ops) roomBelow(from, to mboxname.Name, below []*mboxlist.Entry) error {
	for _, e := range below {
		n := to + e.Name[len(from):]
		if err := n.Check(); err != nil {
			return err
		}
		if old, err := o.live(n); err == nil && !old.Is(mboxlist.FlagIntermediate) {
			return fmt.Errorf("%s: %w", n, ErrExists)
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

func (o *Ops) moveTree(ctx context.Context, who *Who, e *mboxlist.Entry, to mboxname.Name, below []*mboxlist.Entry, p RenameParams) error {
	from, userid := e.Name, e.Name.Owner()
	moveUser := from.IsInbox() && to.IsInbox()
	inboxID := o.InboxID(userid)
	if moveUser {
		defer change.Begin(o.Journal, change.Event{Kind: change.UserRenamed, User: userid, UserTo: to.Owner()})()
		if err := o.copyRoots(from, to); err != nil {
			return err
		}
	}
	parent, err := o.parent(to)
	if err != nil {
		return err
	}
	for _, above := range missing(to, parent) {
		made, err := o.make(ctx, above, parent, CreateParams{Partition: e.Partition})
		if err != nil && !errors.Is(err, ErrExists) {
			return err
		}
		if err == nil {
			parent = made
		}
	}
	was, err := o.moveEach(ctx, append([]*mboxlist.Entry{e}, below...), from, to, p)
	if err != nil {
		return err
	}
	if o.opt.UnsubscribeGone && who.UserID != "" {
		for _, n := range was {
			logged("subscription to", n, o.Subs.Set(o.User(who.UserID), n, false))
		}
	}
	if !moveUser {
		return nil
	}
	if err := o.dropRoots(from); err != nil {
		return err
	}
	return o.moveUserFiles(userid, to.Owner(), inboxID)
}

// moveEach moves the mailboxes of a tree, the one at its top first, all or none of
// them, and returns the names that they had.
func (o *Ops) moveEach(ctx context.Context, all []*mboxlist.Entry, from, to mboxname.Name, p RenameParams) (was []mboxname.Name, err error) {
	var steps []step
	defer func() {
		if err != nil {
			o.undo(ctx, steps)
		}
	}()
	moveUser := from.IsInbox() && to.IsInbox()
	for _, e := range all {
		s := step{e, *e}
		name := to + e.Name[len(from):]
		if moveUser {
			err = o.moveOwned(ctx, e, name, from.Owner(), to.Owner())
		} else {
			err = o.move(ctx, e, name, e.Partition)
		}
		if err != nil {
			return nil, err
		}
		steps, was = append(steps, s), append(was, s.was.Name)
		log.Notice("Rename: %s -> %s", s.was.Name, name)
		if p.Progress != nil {
			p.Progress(s.was.Name, name)
		}
	}
	if moveUser {
		return was, nil
	}
	return was, o.fillIn(ctx, from, all[0].Partition)
}

// moveOwned is move of a mailbox whose owner is renamed, in its access list too: in
// mailboxes.db with the name, in cyrus.header after.
func (o *Ops) moveOwned(ctx context.Context, e *mboxlist.Entry, to mboxname.Name, from, owner string) error {
	had := e.ACL
	e.ACL = renameInACL(e.ACL, from, owner)
	if e.ACL == had || e.Is(mboxlist.FlagIntermediate) {
		return o.move(ctx, e, to, e.Partition)
	}
	done, err := o.Mailboxes.Begin(e)
	if err != nil {
		return err
	}
	if err := o.move(ctx, e, to, e.Partition); err != nil {
		done()
		return err
	}
	// Killed here, Recover finds the note and does it.
	if err := o.Mailboxes.SetACL(ctx, e, e.ACL); err != nil {
		return err
	}
	done()
	return nil
}

// fillIn makes a mailbox where one was that has others below it: a user's tree
// has no holes.
func (o *Ops) fillIn(ctx context.Context, n mboxname.Name, partition string) error {
	if !n.IsUserTree() {
		return nil
	}
	below, err := o.tree(n)
	if err != nil || len(below) == 0 {
		return err
	}
	parent, err := o.parent(n)
	if err != nil {
		return err
	}
	log.Notice("mboxlist: intermediate fill-in mailbox: %s", n)
	_, err = o.make(ctx, n, parent, CreateParams{Partition: partition})
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// move gives one mailbox a new name, a new partition, or both. Where the files
// stay in place only records change; otherwise the store puts them in the new
// place before the record says so, and removes the old ones after.
func (o *Ops) move(ctx context.Context, e *mboxlist.Entry, to mboxname.Name, partition string) error {
	modseq, err := o.nextFolderModSeq(ctx, e)
	if err != nil {
		return err
	}
	if o.announced(e) {
		return o.announceMove(ctx, e, to, partition, modseq)
	}
	return o.moveAt(ctx, e, to, partition, modseq)
}

// nextFolderModSeq is the modseq of a change of name or place: above all that the
// mailbox had, its messages' included, as its own modseq rises to the same. One
// that cannot be read counts by its entry alone.
func (o *Ops) nextFolderModSeq(ctx context.Context, e *mboxlist.Entry) (uint64, error) {
	after := e.FolderModSeq
	err := o.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		after = max(after, v.Header().HighestModSeq)
		return nil
	})
	switch {
	case err == nil, errors.Is(err, mailbox.ErrNotFound), errors.Is(err, mailbox.ErrCorrupt), errors.Is(err, mailbox.ErrBadFormat):
		return o.Mailboxes.NextFolderModSeq(e, after)
	default:
		return 0, err
	}
}

// moveAt is move with a given modseq of the change.
func (o *Ops) moveAt(ctx context.Context, e *mboxlist.Entry, to mboxname.Name, partition string, modseq uint64) error {
	was, moved := *e, *e
	moved.Name, moved.Partition, moved.FolderModSeq, moved.MTime, moved.History = to, partition, modseq, 0, nil
	root, _, err := o.Quota.Find(to)
	if err != nil {
		return err
	}
	done, err := o.Mailboxes.Begin(e, root)
	if err != nil {
		return err
	}
	logged := func() {}
	if to != was.Name {
		logged = change.Begin(o.Journal, change.Event{Kind: change.Renamed, Name: was.Name, To: to})
	}
	stored := false
	commit := func() error {
		err := o.List.Update(func(tx *mboxlist.Tx) error {
			if to == was.Name {
				return tx.Put(&moved)
			}
			if was.Incoming() {
				if err := makeRoom(tx, to); err != nil {
					return err
				}
			}
			return tx.Rename(was.Name, &moved)
		})
		if stored = err == nil; stored {
			// While the mailbox is locked: a replica that hears of the old name
			// alone would take the mailbox for removed.
			logged()
		}
		return err
	}
	switch {
	case e.Is(mboxlist.FlagIntermediate):
		err = commit()
	case o.Mailboxes.SameFiles(&was, &moved):
		err = o.Mailboxes.Rename(ctx, &was, &moved, string(root), commit)
	default:
		err = o.Mailboxes.Move(ctx, &was, &moved, string(root), commit)
	}
	if !stored {
		logged()
		done()
		return err
	}
	if err != nil {
		return err
	}
	*e = moved
	o.tell(&was)
	o.tell(&moved)
	done()
	return nil
}
