package mboxops

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
)

// Leave removes from here what has been announced by the other server: all that is
// decided of a cargo. Those of aside are kept as if they were deleted here, with delay where
// delete_mode says so: nobody has them any more. What the user has seen of mailboxes that stay
// here is kept. The murder is told nothing.
func (o *Ops) Leave(ctx context.Context, c Cargo, aside map[mboxname.Name]bool) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, c.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	all, stage, err := o.Underway(c)
	if err != nil || stage != Decided {
		return err
	}
	all = slices.DeleteFunc(all, func(e *mboxlist.Entry) bool { return !IsDecided(e) })
	return o.leaveDecided(ctx, c, all, aside)
}

// leaveDecided is Leave of some mailboxes, INBOX first.
func (o *Ops) leaveDecided(ctx context.Context, c Cargo, all []*mboxlist.Entry, aside map[mboxname.Name]bool) error {
	inboxID := o.InboxID(c.User)
	user := c.User != "" && slices.ContainsFunc(all, func(e *mboxlist.Entry) bool { return e.Name.IsInbox() })
	if user {
		defer change.Begin(o.Journal, change.Event{Kind: change.UserRemoved, User: c.User})()
	}
	for _, e := range slices.Backward(all) {
		if e.Name.IsInbox() {
			// The user is gone with the INBOX: who finds it finds all of this too.
			if err := o.leaveUser(c.User, inboxID); err != nil {
				return err
			}
		}
		remove := o.leave
		if aside[e.Name] {
			remove = o.setAside
		}
		if err := remove(ctx, e); err != nil {
			return err
		}
	}
	if c.User == "" {
		return o.leaveRoot(c.Mailbox)
	}
	if !user {
		return nil
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

// setAside makes a mailbox of what was to leave, and removes that as if it were deleted here.
func (o *Ops) setAside(ctx context.Context, e *mboxlist.Entry) error {
	home := *e
	atHome(&home)
	if err := o.Mailboxes.Thaw(ctx, &home); err != nil && !errors.Is(err, mailbox.ErrNotFound) {
		return err
	}
	if err := o.setMoving([]*mboxlist.Entry{e}, atHome); err != nil {
		return err
	}
	log.Notice("%s: the murder knows of none any more; what is here is deleted", e.Name)
	return o.Local().delete(ctx, e, uint32(time.Now().Unix()), DeleteParams{Force: true})
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
			return tx.Put(leftTo(e, e.Server))
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

// leftTo is the record of a mailbox that was here and is a server's now, of which the slave
// will say more.
func leftTo(e *mboxlist.Entry, server string) *mboxlist.Entry {
	return &mboxlist.Entry{Name: e.Name, Type: mboxlist.With("e", mboxlist.FlagRemote), Server: server, EmptyPartition: true, ACL: e.ACL}
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
