package mboxops

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// An Annotation is one value of a mailbox that is to be changed.
type Annotation struct {
	Entry  string // without /shared or /private
	Shared bool   // the value for all, not the caller's own
	Data   []byte // no octets removes the value
	// Header changes a property of the mailbox that is kept in its index, and says
	// whether that made a difference. Then Data is not looked at.
	Header func(h *indexfile.Header) (changed bool)
	// Denied is what the change fails with, unless the value is that already.
	Denied error
}

// Annotate changes annotations of a mailbox for userid, all or none. Each change
// that makes a difference raises the modseq of the mailbox, which the modseq of
// the folder in mailboxes.db follows (imap/annotate.c, write_entry). Of special
// uses the error is ErrBadUse, ErrUseConflict or ErrHasChildren; of values that
// are too large in all, quota.ErrOver, unless quota is not to be asked.
func (o *Ops) Annotate(ctx context.Context, userid string, n mboxname.Name, skipQuota bool, set []Annotation) error {
	ctx, unlock, err := o.lockUser(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := o.live(n)
	if err != nil {
		return err
	}
	for i := range set {
		if set[i].Entry == annotate.SpecialUse && !set[i].Shared {
			if set[i].Data, err = o.useValue(userid, e, set[i].Data); err != nil {
				return err
			}
		}
	}
	// Killed between index and mailboxes.db, the replicas would not hear of it.
	done, err := o.Mailboxes.Begin(e)
	if err != nil {
		return err
	}
	before := e.FolderModSeq
	err = o.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
		return o.annotate(tx, e, annotate.UserOf(userid, n.Owner()), skipQuota, set)
	})
	if err != nil || e.FolderModSeq == before {
		done()
		return err
	}
	e.MTime = 0
	if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return err
	}
	o.tell(e)
	done()
	return nil
}

// annotate makes the changes in an update of the mailbox; e gets the modseq.
func (o *Ops) annotate(tx *mailbox.Tx, e *mboxlist.Entry, user string, skipQuota bool, set []Annotation) error {
	// An update that fails may be tried again: nothing stays from the first.
	folder := e.FolderModSeq
	now := map[annotate.Key][]byte{}
	var stored []annotate.Change
	var grown int64
	h := tx.Header()
	for i := range set {
		a := &set[i]
		if a.Header != nil {
			was := *h
			if !a.Header(h) {
				continue
			}
			if a.Denied != nil {
				*h = was
				return a.Denied
			}
		} else {
			k := annotate.Key{Scope: e.UniqueID, Entry: a.Entry, User: user}
			if a.Shared {
				k.User = ""
			}
			old, err := o.value(now, k)
			if err != nil {
				return err
			}
			if bytes.Equal(old, a.Data) {
				continue
			}
			if a.Denied != nil {
				return a.Denied
			}
			grown += int64(len(a.Data)) - int64(len(old))
			now[k] = a.Data
			c := annotate.Change{Key: k}
			if len(a.Data) > 0 {
				c.Data = a.Data
			}
			stored = append(stored, c)
		}
		var err error
		if folder, err = tx.TouchModSeq(); err != nil {
			return err
		}
	}
	if grown > 0 && !skipQuota {
		if err := tx.CheckQuota(quota.Usage{quota.AnnotationStorage: grown}); err != nil {
			return err
		}
	}
	h.AnnotUsed = uint32(max(int64(h.AnnotUsed)+grown, 0))
	e.FolderModSeq = folder
	return o.Annotations.Apply(stored...)
}

// value is what k has, or will have by now.
func (o *Ops) value(now map[annotate.Key][]byte, k annotate.Key) ([]byte, error) {
	if data, ok := now[k]; ok {
		return data, nil
	}
	v, _, err := o.Annotations.Get(k)
	return v.Data, err
}

// useValue checks special uses that userid gives a mailbox, and spells them as they are
// stored. Unlike with CREATE, any mailbox will do, and several may have what the
// INBOX has (imap/annotate.c, specialuse_validate).
func (o *Ops) useValue(userid string, e *mboxlist.Entry, value []byte) ([]byte, error) {
	n := e.Name
	uses := strings.Fields(string(value))
	have := o.SpecialUse(userid, n, e.UniqueID)
	for i, name := range uses {
		use, err := o.CanonicalUse(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(have, use) {
			if err := o.useFree(userid, n, use); err != nil {
				return nil, err
			}
		}
		if slices.Contains(o.opt.UseNoChildren, use) {
			if below, err := o.tree(n); err != nil || len(below) > 0 {
				return nil, cmp.Or(err, fmt.Errorf("%s: %s: %w", n, use, ErrHasChildren))
			}
		}
		uses[i] = use
	}
	return []byte(strings.Join(uses, " ")), nil
}

// useFree says whether no other mailbox of userid but the INBOX has a use.
func (o *Ops) useFree(userid string, n mboxname.Name, use string) error {
	return o.List.ScanUser(userid, func(v mboxlist.View) error {
		name := v.Name()
		if v.Is(mboxlist.FlagDeleted) || name == n || name.IsInbox() || !slices.Contains(o.usesOf(string(v.UniqueID())), use) {
			return nil
		}
		return fmt.Errorf("%s: %s has it: %w", use, name, ErrUseConflict)
	})
}
