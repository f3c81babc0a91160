package mboxops

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// SetQuota sets the limits of a root, in the resources' own units, Unlimited
// for none. A root that does not exist is made, and takes the mailboxes at and
// below its name that had no root as deep as this.
func (o *Ops) SetQuota(ctx context.Context, who *Who, root mboxname.Name, limits [quota.NumResources]int64) error {
	return o.setQuota(ctx, who, root, limits, false)
}

// SetQuotaAhead is SetQuota of a root whose mailboxes are still to come.
func (o *Ops) SetQuotaAhead(ctx context.Context, who *Who, root mboxname.Name, limits [quota.NumResources]int64) error {
	return o.setQuota(ctx, who, root, limits, true)
}

func (o *Ops) setQuota(ctx context.Context, who *Who, root mboxname.Name, limits [quota.NumResources]int64, ahead bool) error {
	if !who.Admin {
		return ErrPermission
	}
	set := func(q *quota.Root) error {
		q.Limit = limits
		return nil
	}
	unlock, err := o.holdStill(ctx, root)
	if err != nil {
		return err
	}
	made, err := o.putQuota(root, set, ahead)
	unlock()
	if err != nil || !made {
		return err
	}
	return o.adopt(ctx, root, false, func(had mboxname.Name) bool { return len(had) < len(root) })
}

// putQuota sets the limits of a root, and says whether it was made.
func (o *Ops) putQuota(root mboxname.Name, set func(*quota.Root) error, ahead bool) (made bool, err error) {
	err = o.Quota.Update(root, set)
	if err == nil || !errors.Is(err, quota.ErrNotFound) {
		return false, err
	}
	if root.Local() != "" && !ahead {
		if _, err := o.live(root); err != nil {
			if below, err2 := o.tree(root); err2 != nil || len(below) == 0 {
				return false, err
			}
		}
	}
	return true, o.Quota.Set(root, set)
}

// DeleteQuota removes a root; its mailboxes come under the one above.
func (o *Ops) DeleteQuota(ctx context.Context, who *Who, root mboxname.Name) error {
	if !who.Admin {
		return ErrPermission
	}
	if _, err := o.Quota.Get(root); err != nil {
		return err
	}
	unlock, err := o.holdStill(ctx, root)
	if err != nil {
		return err
	}
	err = o.Quota.Delete(root)
	unlock()
	if err != nil {
		return err
	}
	return o.adopt(ctx, root, false, func(had mboxname.Name) bool { return had == root })
}

// adopt puts the mailboxes at and below a name under the root that is right for
// them now, those whose present root is one that takes says yes to. quiet leaves the
// modseqs of the roots alone.
func (o *Ops) adopt(ctx context.Context, top mboxname.Name, quiet bool, takes func(had mboxname.Name) bool) error {
	boxes, err := o.tree(top)
	if err != nil {
		return err
	}
	if e, err := o.live(top); err == nil {
		boxes = append(boxes, e)
	}
	for _, e := range boxes {
		if e.Is(mboxlist.FlagRemote) && !e.Incoming() || e.Is(mboxlist.FlagIntermediate) {
			continue
		}
		root, _, err := o.Quota.Find(e.Name)
		if err != nil {
			return err
		}
		err = o.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
			if quiet {
				tx.Quiet()
			}
			if had := mboxname.Name(tx.QuotaRoot()); takes(had) {
				tx.SetQuotaRoot(string(root))
			}
			return nil
		})
		if err != nil && !errors.Is(err, mailbox.ErrNotFound) {
			return fmt.Errorf("quota root of %s: %w", e.Name, err)
		}
	}
	return nil
}

// dropRoots removes the roots at and below a name.
func (o *Ops) dropRoots(top mboxname.Name) error {
	var roots []mboxname.Name
	err := o.Quota.Scan(string(top), func(q *quota.Root) error {
		if q.Name == top || top.IsAncestorOf(q.Name) {
			roots = append(roots, q.Name)
		}
		return nil
	})
	for _, r := range roots {
		if err == nil {
			err = o.Quota.Delete(r)
		}
	}
	return err
}
