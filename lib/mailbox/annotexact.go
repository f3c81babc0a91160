package mailbox

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
)

func (a ExactAnnot) sameKey(b ExactAnnot) bool { return a.Entry == b.Entry && a.User == b.User }

// ExactAnnots are the annotations of a message with their modseqs, in order of
// entries and users.
func (v *View) ExactAnnots(uid uint32) ([]ExactAnnot, error) {
	if v.tx != nil {
		return v.tx.b.annots.exact(uid)
	}
	x := v.Annotations()
	defer x.Close()
	return x.OfExact(uid)
}

// OfExact is Of with modseqs.
func (x *Annotations) OfExact(uid uint32) ([]ExactAnnot, error) { return x.a.exact(uid) }

// exact are the annotations of a message that have a value, in order.
func (a *annots) exact(uid uint32) (all []ExactAnnot, err error) {
	err = a.of(uid, func(k annotate.Key, v annotate.Value) error {
		all = append(all, ExactAnnot{k.Entry, k.User, v.ModSeq, append([]byte{}, v.Data...)})
		return nil
	})
	slices.SortFunc(all, func(x, y ExactAnnot) int {
		return cmp.Or(strings.Compare(x.Entry, y.Entry), strings.Compare(x.User, y.User))
	})
	return all, err
}

// setExactly notes that an annotation of r becomes now, which removes it when it
// has no Data. old is what it was, nil when there was none.
func (b *batch) setExactly(r *indexfile.Record, old, now *ExactAnnot) {
	if old != nil && now.Data != nil && bytes.Equal(old.Data, now.Data) && old.ModSeq == now.ModSeq {
		return
	}
	if r.Flags&indexfile.Expunged == 0 {
		var data []byte
		if old != nil {
			data = old.Data
		}
		b.count(r.UID, Annot{now.Entry, now.User, now.Data}, data, old != nil)
	}
	b.annots.changes = append(b.annots.changes, annotate.Change{
		Key:  annotate.Key{Scope: annotate.Message(r.UID), Entry: now.Entry, User: now.User},
		Data: now.Data, ModSeq: now.ModSeq, Tombstone: true,
	})
}

// foldedOf are the annotations that stand for fields of r in an index of a
// version without them.
func foldedOf(r *indexfile.Record, version uint32) (all []ExactAnnot) {
	for i := range folds {
		if d := &folds[i]; version < d.since && d.get(r) != 0 {
			all = append(all, ExactAnnot{Entry: d.entry, ModSeq: r.ModSeq, Data: d.text(r)})
		}
	}
	return all
}
