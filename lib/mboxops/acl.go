package mboxops

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// A RightError is the error of a letter that stands for no right.
type RightError struct{ Letter byte }

func (e *RightError) Error() string { return fmt.Sprintf("the %c right is not supported", e.Letter) }

// Implicit are the rights that an owner cannot be without.
func (o *Ops) Implicit() acl.Rights { return o.opt.Implicit }

// SetACL changes what an identifier may do to a mailbox. rights is as SETACL
// has it: letters, "+" and letters to add, "-" and letters to take, "" to
// delete the entry. The copy in cyrus.header changes first, mailboxes.db, which
// is what counts, last.
func (o *Ops) SetACL(ctx context.Context, who *Who, n mboxname.Name, identifier, rights string) error {
	mode, set, err := o.ParseRights(rights)
	if err != nil {
		return err
	}
	ctx, unlock, err := o.lockUser(ctx, n)
	if err != nil {
		return err
	}
	defer o.kick(ctx)
	defer unlock()
	e, have, err := o.seenBy(who, n)
	if err != nil {
		return err
	}
	if have&acl.Admin == 0 {
		return fmt.Errorf("%s: %w", n, ErrPermission)
	}
	isOwner := identifier != "" && identifier == n.Owner()
	if !who.Admin && (isOwner && losesAdmin(mode, set) || identifier == "anyone" && !o.opt.AnyoneACL) {
		return fmt.Errorf("%s: %s: %w", n, identifier, ErrPermission)
	}
	list, err := acl.Set(e.ACL, identifier, mode, set)
	if err != nil {
		return err
	}
	if isOwner {
		// What an owner has in any case is written, so that a reader of the
		// list is not misled.
		if list, err = acl.Set(list, identifier, acl.Add, o.opt.Implicit); err != nil {
			return err
		}
	}
	return o.putACL(ctx, e, list)
}

// losesAdmin reports whether a change of the owner's entry is one that the
// owner may not make: without the right to administer.
func losesAdmin(mode acl.Mode, r acl.Rights) bool {
	switch mode {
	case acl.Replace:
		return r&acl.Admin == 0
	case acl.Remove:
		return r&acl.Admin != 0
	}
	return false
}

// ParseRights reads the third word of SETACL: letters, perhaps with one "+" or
// "-" in front. The error is a *RightError.
func (o *Ops) ParseRights(s string) (acl.Mode, acl.Rights, error) {
	mode, letters := acl.Replace, s
	switch {
	case strings.HasPrefix(s, "+"):
		mode, letters = acl.Add, s[1:]
	case strings.HasPrefix(s, "-"):
		mode, letters = acl.Remove, s[1:]
	}
	for i := range len(letters) {
		if strings.IndexByte("lrswipkxtecdan0123456789", letters[i]) < 0 && letters[i] != o.opt.DeleteRight {
			return 0, 0, &RightError{letters[i]}
		}
	}
	set, err := acl.ParseDelete(letters, o.opt.DeleteRight)
	return mode, set, err
}

// putACL gives a mailbox another list. In a murder the master hears of it first.
func (o *Ops) putACL(ctx context.Context, e *mboxlist.Entry, list string) (err error) {
	if list == e.ACL {
		return nil
	}
	told, err := o.announceACL(ctx, e, list)
	if err != nil {
		return err
	}
	defer func() { told.end(ctx, err) }()
	// Killed between the two, the header would keep rights that nobody has.
	done, err := o.Mailboxes.Begin(e)
	if err != nil {
		return err
	}
	// The mailbox's own modseq rises, so that clients with CONDSTORE look again.
	err = o.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) (err error) {
		tx.SetACL(list)
		e.FolderModSeq, err = tx.TouchModSeq()
		return err
	})
	if err != nil {
		done()
		return err
	}
	e.ACL, e.MTime = list, 0
	if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return err
	}
	o.tell(e)
	done()
	return nil
}
