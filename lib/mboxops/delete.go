package mboxops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// DeleteParams are what a DELETE may say beyond the name.
type DeleteParams struct {
	Now   bool // not by renaming, whatever the site says
	Force bool // whatever rights the administrator has, and damaged files
	Alone bool // an INBOX without the rest of the user
}

// Delete removes a mailbox: at once, or, when delete_mode is delayed, by
// renaming it into the tree of deleted mailboxes, from where cyr_expire removes
// it. An administrator who deletes an INBOX deletes the user: all mailboxes,
// subscriptions, seen state, quota.
func (o *Ops) Delete(ctx context.Context, who *Who, n mboxname.Name, p DeleteParams) error {
	if p.Force && !who.Admin {
		return ErrPermission
	}
	ctx, unlock, err := o.lockUser(ctx, n)
	if err != nil {
		return err
	}
	defer o.kick(ctx)
	defer unlock()
	e, err := o.mayDelete(who, n, p)
	if err != nil {
		return err
	}
	if n.IsInbox() && !p.Alone {
		return o.deleteUser(ctx, e, p)
	}
	return o.delete(ctx, e, uint32(time.Now().Unix()), p)
}

func (o *Ops) mayDelete(who *Who, n mboxname.Name, p DeleteParams) (*mboxlist.Entry, error) {
	if n.IsInbox() && who.owns(n) {
		return nil, fmt.Errorf("%s: %w", n, ErrUnsupported)
	}
	e, rights, err := o.seenBy(who, n)
	if err != nil {
		return nil, err
	}
	if n.IsInbox() && !who.Admin {
		return nil, fmt.Errorf("%s: %w", n, ErrPermission)
	}
	if !n.IsInbox() {
		below, err := o.tree(n)
		if err != nil {
			return nil, err
		}
		if len(below) > 0 {
			return nil, fmt.Errorf("%s: %w", n, ErrHasChildren)
		}
	}
	if rights&acl.DeleteBox == 0 && !p.Force {
		return nil, fmt.Errorf("%s: %w", n, ErrPermission)
	}
	if !who.Admin && o.hasUse(e, o.opt.UseProtect) {
		return nil, fmt.Errorf("%s: %w", n, ErrUseConflict)
	}
	return e, nil
}

// delete removes one mailbox; stamp is the time in its deleted name.
func (o *Ops) delete(ctx context.Context, e *mboxlist.Entry, stamp uint32, p DeleteParams) error {
	if p.Now || e.Name.IsDeleted() || !o.opt.DelayedDelete || e.Is(mboxlist.FlagRemote) {
		return o.destroy(ctx, e, p)
	}
	if e.Is(mboxlist.FlagIntermediate) {
		defer o.removing(e.Name)()
		return o.entomb(e)
	}
	to := e.Name.Deleted(stamp)
	// A mailbox of that name may have been deleted in the same second.
	for {
		if _, err := o.live(to); errors.Is(err, ErrNotFound) {
			break
		} else if err != nil {
			return err
		}
		stamp++
		to = e.Name.Deleted(stamp)
	}
	if err := o.move(ctx, e, to, e.Partition); err != nil {
		return err
	}
	log.Notice("Deleted mailbox %s", e.Name)
	return nil
}

// removing tells the journal that a mailbox is removed for good.
func (o *Ops) removing(n mboxname.Name) (done func()) {
	return change.Begin(o.Journal, change.Event{Kind: change.Removed, Name: n})
}

// entomb makes the record of a mailbox a tombstone.
func (o *Ops) entomb(e *mboxlist.Entry) error {
	modseq, err := o.Mailboxes.NextFolderModSeq(e, e.FolderModSeq)
	if err != nil {
		return err
	}
	return o.entombAt(e, modseq)
}

// entombAt is entomb with a given modseq of the change.
func (o *Ops) entombAt(e *mboxlist.Entry, modseq uint64) error {
	return o.List.Update(func(tx *mboxlist.Tx) error {
		if e.Name.IsDeleted() {
			return tx.Remove(e.Name)
		}
		return tx.Delete(e.Name, modseq)
	})
}

// destroy removes a mailbox for good: the record first, so that nobody opens
// it, then the files.
func (o *Ops) destroy(ctx context.Context, e *mboxlist.Entry, p DeleteParams) error {
	return o.destroyWith(ctx, e, p.Force, o.entomb)
}

// destroyWith is destroy that leaves the record to entomb. A master of a murder that
// is away does not keep a mailbox from being removed: it hears of it later.
func (o *Ops) destroyWith(ctx context.Context, e *mboxlist.Entry, force bool, entomb func(*mboxlist.Entry) error) error {
	return o.following(ctx, e, func() error { return o.remove(ctx, e, force, entomb) }, e.Name)
}

func (o *Ops) remove(ctx context.Context, e *mboxlist.Entry, force bool, entomb func(*mboxlist.Entry) error) error {
	root, _, err := o.Quota.Find(e.Name)
	if err != nil {
		return err
	}
	done, err := o.Mailboxes.Begin(e, root)
	if err != nil {
		return err
	}
	defer o.removing(e.Name)()
	if e.Incoming() {
		entomb = func(e *mboxlist.Entry) error { return o.goBack(ctx, e) }
	}
	if err := entomb(e); err != nil {
		done()
		return err
	}
	if err := o.Annotations.Drop(e.UniqueID); err != nil {
		logged("annotations of", e.Name, err)
	}
	if !e.Is(mboxlist.FlagIntermediate) && (!e.Is(mboxlist.FlagRemote) || e.Incoming()) {
		if err := o.Mailboxes.Remove(ctx, e); err != nil && !force {
			return err
		}
	}
	o.tell(e)
	done()
	log.Notice("Deleted mailbox %s", e.Name)
	return nil
}

// deleteUser removes all that belongs to the owner of inbox, the INBOX last.
func (o *Ops) deleteUser(ctx context.Context, inbox *mboxlist.Entry, p DeleteParams) error {
	name, userid := inbox.Name, inbox.Name.Owner() // delete gives the entry another name
	inboxID := o.InboxID(userid)
	below, err := o.tree(name)
	if err != nil {
		return err
	}
	defer change.Begin(o.Journal, change.Event{Kind: change.UserRemoved, User: userid})()
	stamp := uint32(time.Now().Unix())
	var steps []step
	for _, e := range append(below, inbox) {
		if e.Foreign() {
			log.Notice("%s is on %s, and stays", e.Name, e.Server)
			continue
		}
		was := *e
		if err := o.delete(ctx, e, stamp, p); err != nil {
			o.undo(ctx, steps)
			return err
		}
		if e.Name != was.Name { // it is kept, as a deleted one
			steps = append(steps, step{e, was})
		}
	}
	if err := o.dropRoots(name); err != nil {
		return err
	}
	return o.dropUserFiles(userid, inboxID)
}

// userSuffixes are the files of a user that go with the user.
var userSuffixes = []string{"sub", "seen", "mboxkey", "xapianactive", "conversations", "counters", "dav"}

func (o *Ops) dropUserFiles(userid, inboxID string) error {
	return o.dropFiles(userid, inboxID, func(string) bool { return true })
}

// dropFiles removes the files of a user whose suffix which wants, and all scripts.
func (o *Ops) dropFiles(userid, inboxID string, which func(suffix string) bool) error {
	var first error
	for _, suffix := range userSuffixes {
		if !which(suffix) {
			continue
		}
		err := os.Remove(o.Layout.UserFile(userid, suffix, inboxID))
		if err != nil && !errors.Is(err, os.ErrNotExist) && first == nil {
			first = err
		}
	}
	if inboxID != "" {
		// The directory is the user's own. What a later Cyrus keeps there stays.
		os.Remove(filepath.Dir(o.Layout.UserFile(userid, "sub", inboxID)))
	}
	if dir := o.Layout.SieveUserDir(userid, inboxID); o.Layout.SieveDir != "" {
		if err := os.RemoveAll(dir); err != nil && first == nil {
			first = err
		}
	}
	return first
}
