package mboxops

import (
	"bytes"
	"context"

	"gocyrus/lib/annotate"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// SetReplica stores what changed of the record of a mailbox on the other server;
// cyrus.header and the index are the caller's, who changes them first and holds
// the owner's lock.
func (o *Ops) SetReplica(ctx context.Context, e *mboxlist.Entry) error {
	return o.following(ctx, e, func() error {
		e.MTime = 0
		if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
			return err
		}
		o.tell(e)
		return nil
	}, e.Name)
}

// SetQuotaReplica sets limits and modseq of a root as the other server has them. A
// root that is new takes the mailboxes that come under it.
func (o *Ops) SetQuotaReplica(ctx context.Context, root mboxname.Name, limits [quota.NumResources]int64, modseq uint64) error {
	made, err := o.Quota.SetExact(root, limits, modseq)
	if err != nil || !made {
		return err
	}
	return o.adopt(ctx, root, true, func(had mboxname.Name) bool { return len(had) < len(root) })
}

// DeleteQuotaReplica removes a root, as the other server has.
func (o *Ops) DeleteQuotaReplica(ctx context.Context, root mboxname.Name) error {
	if err := o.Quota.Delete(root); err != nil {
		return err
	}
	return o.adopt(ctx, root, true, func(had mboxname.Name) bool { return had == root })
}

// ReplaceAnnotations makes set all annotations of the mailbox itself. It is called
// in an update of the mailbox, which counts their octets, as the last step that
// can fail. A value that stays as it is keeps its modseq, as in Cyrus.
func (o *Ops) ReplaceAnnotations(tx *mailbox.Tx, e *mboxlist.Entry, set []mailbox.ExactAnnot) error {
	changes, delta, err := o.annotChanges(e.UniqueID, set)
	if err != nil || len(changes) == 0 {
		return err
	}
	h := tx.Header()
	h.AnnotUsed = uint32(max(int64(h.AnnotUsed)+delta, 0))
	return o.Annotations.Apply(changes...)
}

// annotChanges are the changes that make set of what a mailbox has, and by how
// many octets that is more.
func (o *Ops) annotChanges(id string, set []mailbox.ExactAnnot) (changes []annotate.Change, delta int64, err error) {
	want := make(map[annotate.Key]*mailbox.ExactAnnot, len(set))
	for i := range set {
		want[annotate.Key{Scope: id, Entry: set[i].Entry, User: set[i].User}] = &set[i]
	}
	err = o.Annotations.Scan(id, func(k annotate.Key, v annotate.Value) error {
		w := want[k]
		switch {
		case v.Deleted:
		case w == nil:
			changes = append(changes, annotate.Change{Key: k})
			delta -= int64(len(v.Data))
		case bytes.Equal(w.Data, v.Data):
			delete(want, k)
		default:
			delta -= int64(len(v.Data))
		}
		return nil
	})
	for k, w := range want {
		changes = append(changes, annotate.Change{Key: k, Data: nonNil(w.Data), ModSeq: w.ModSeq})
		delta += int64(len(w.Data))
	}
	return changes, delta, err
}

// nonNil makes of no octets an empty value, which nil is not.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// SetAnnotation changes one annotation of the mailbox itself, in an update of it.
func (o *Ops) SetAnnotation(tx *mailbox.Tx, c annotate.Change) error {
	old, _, err := o.Annotations.Get(c.Key)
	if err != nil {
		return err
	}
	h := tx.Header()
	h.AnnotUsed = uint32(max(int64(h.AnnotUsed)+int64(len(c.Data))-int64(len(old.Data)), 0))
	return o.Annotations.Apply(c)
}
