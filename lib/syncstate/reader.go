package syncstate

import (
	"cmp"
	"slices"

	"gocyrus/lib/annotate"
	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// Reader reads the state of mailboxes. Its methods may be called from many
// goroutines.
type Reader struct {
	Mailboxes   *mailbox.Store
	Annotations *annotate.DB
}

// Mailbox is the mailbox of v, all but its records: what GET MAILBOXES answers.
// e is its entry in mailboxes.db, whose ACL and modseqs count.
func (r *Reader) Mailbox(v *mailbox.View, e *mboxlist.Entry) (*csync.Mailbox, error) {
	h := v.Header()
	m := &csync.Mailbox{
		UniqueID:       e.UniqueID,
		Name:           e.Name,
		Type:           WireType(e.Type),
		SyncCRC:        h.SyncCRC,
		SyncCRCAnnot:   h.SyncCRCAnnot,
		LastUID:        h.LastUID,
		HighestModSeq:  h.HighestModSeq,
		RecentUID:      h.RecentUID,
		RecentTime:     h.RecentTime,
		LastAppendDate: h.LastAppendDate,
		POP3LastLogin:  h.POP3LastLogin,
		POP3ShowAfter:  h.POP3ShowAfter,
		UIDValidity:    h.UIDValidity,
		Partition:      e.Partition,
		ACL:            e.ACL,
		Options:        optionsOf(h),
		QuotaRoot:      v.QuotaRoot(),
		CreatedModSeq:  h.CreatedModSeq,
		FolderModSeq:   e.FolderModSeq,
	}
	if m.CreatedModSeq == 0 {
		m.CreatedModSeq = e.CreatedModSeq
	}
	var err error
	if m.XConvModSeq, err = v.XConvModSeq(); err != nil {
		return nil, err
	}
	if m.RACLModSeq, err = r.Mailboxes.RACLModSeq(e.Name.Owner()); err != nil {
		return nil, err
	}
	m.Annotations, err = r.MailboxAnnotations(e.UniqueID, e.Name.Owner())
	return m, err
}

// optionsOf spells the options of a mailbox. Cyrus says of one without messages
// that it has the new POP3 UIDLs, whatever its index has: nobody can tell.
func optionsOf(h *indexfile.Header) string {
	o := h.Options
	if h.Exists == 0 {
		o |= indexfile.OptPOP3NewUIDL
	}
	return OptionLetters(o)
}

// MailboxAnnotations are the annotations of a mailbox itself, in the order of the
// wire: entry, userid, value.
func (r *Reader) MailboxAnnotations(uniqueID, owner string) (all []csync.Annotation, err error) {
	err = r.Annotations.Scan(uniqueID, func(k annotate.Key, v annotate.Value) error {
		if !v.Deleted {
			all = append(all, csync.Annotation{Entry: k.Entry, UserID: UserOf(k.User, owner), ModSeq: v.ModSeq, Value: slices.Clone(v.Data)})
		}
		return nil
	})
	SortAnnotations(all)
	return all, err
}

// UserOf is the name on the wire of the userid under which an annotation is
// stored: see annotate.UserOf for the other way.
func UserOf(stored, owner string) string {
	if stored == annotate.Owner {
		return owner
	}
	return stored
}

// SortAnnotations puts annotations into the order of the wire.
func SortAnnotations(all []csync.Annotation) {
	slices.SortFunc(all, func(a, b csync.Annotation) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.UserID, b.UserID), slices.Compare(a.Value, b.Value))
	})
}

// Records calls fn for each record whose modseq is larger than since, expunged ones
// too, in the order of UIDs. The record and its lists are good until fn returns.
func (r *Reader) Records(v *mailbox.View, since uint64, fn func(recno int, rec *csync.Record) error) error {
	recnos, err := Changed(v, since)
	if err != nil {
		return err
	}
	c := NewConverter(v)
	defer c.Close()
	for _, recno := range recnos {
		if v.Raw(recno).UID() == 0 {
			continue // wiped
		}
		rec, err := c.Record(recno)
		if err != nil {
			return err
		}
		if err := fn(recno, rec); err != nil {
			return err
		}
	}
	return nil
}

// Changed are the records with a larger modseq, expunged ones too, in the order of
// UIDs. One that was wiped may be among them, with UID 0.
func Changed(v *mailbox.View, since uint64) ([]int, error) {
	var recnos []int
	if since == 0 {
		recnos = make([]int, v.NumRecords())
		for i := range recnos {
			recnos[i] = i + 1
		}
		return recnos, nil
	}
	err := v.ChangedSince(since, func(recno int) error {
		recnos = append(recnos, recno)
		return nil
	})
	slices.Sort(recnos)
	return recnos, err
}

// Converter turns the records of one view into those of the protocol.
type Converter struct {
	v      *mailbox.View
	owner  string
	names  []string
	annots *mailbox.Annotations
	row    indexfile.Record
	rec    csync.Record
}

// NewConverter begins with a view. It is for one goroutine and the time of the view.
func NewConverter(v *mailbox.View) *Converter {
	return &Converter{v: v, owner: v.Mailbox().Owner(), names: v.UserFlags(), annots: v.Annotations()}
}

// Close gives up what reading needed.
func (c *Converter) Close() { c.annots.Close() }

// Record is record recno as the wire has it, good until the next call. The error is
// mailbox.ErrCorrupt or one of the annotations.
func (c *Converter) Record(recno int) (*csync.Record, error) {
	if err := c.v.Record(recno, &c.row); err != nil {
		return nil, err
	}
	c.rec = csync.Record{Flags: c.rec.Flags, Annotations: c.rec.Annotations[:0]}
	stored, err := c.annots.OfExact(c.row.UID)
	if err != nil {
		return nil, err
	}
	for _, a := range stored {
		c.rec.Annotations = append(c.rec.Annotations, csync.Annotation{
			Entry: a.Entry, UserID: UserOf(a.User, c.owner), ModSeq: a.ModSeq, Value: a.Data})
	}
	SortAnnotations(c.rec.Annotations)
	c.rec.SetIndex(&c.row, c.names)
	return &c.rec, nil
}

// Intermediate is a mailbox that is there for its children alone, as GET answers
// it.
func Intermediate(e *mboxlist.Entry) *csync.Mailbox {
	return &csync.Mailbox{
		UniqueID:      e.UniqueID,
		Name:          e.Name,
		Type:          WireType(e.Type),
		UIDValidity:   e.UIDValidity,
		CreatedModSeq: e.CreatedModSeq,
		FolderModSeq:  e.FolderModSeq,
	}
}
