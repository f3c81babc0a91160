package mailbox

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gocyrus/lib/indexfile"
)

// ErrBadFile is a message file that is missing, or that is not the one whose GUID
// was given.
var ErrBadFile = errors.New("not the file of that message")

// Exact is a message to be appended just as another server has it. Nothing of it
// is chosen here, and a field that is 0 stays 0.
type Exact struct {
	// Append says where the message is, and UID, which is not 0 and above the
	// last one. Without a Message, File is read. Annots of it is not looked at.
	Append
	ModSeq      uint64
	LastUpdated uint32
	GUID        indexfile.GUID
	// Expunged makes an expunged record. One without File and From is a record
	// of a message that is not there any more, of Size octets.
	Expunged bool
	Size     uint32
	Annots   []ExactAnnot
}

// An ExactAnnot is an annotation of a message with its modseq. User is the userid
// as it is stored: annotate.UserOf. Data is not nil.
type ExactAnnot struct {
	Entry, User string
	ModSeq      uint64
	Data        []byte
}

// stub says that only the record of a message is to be appended.
func (x *Exact) stub() bool { return x.Expunged && x.File == "" && x.From == nil }

// AppendExact appends a message and gives it nothing: neither modseq nor time are
// those of the update, the quota is not asked, nor the bound on messages. LastUID
// of the header becomes its UID, and HighestModSeq does not stay below its
// modseq; the other fields are the caller's. The error is ErrBadFile, ErrExists
// for a UID that is not above the last one, ErrTooManyFlags, ErrTooManyMessages,
// or one of the file system.
func (tx *Tx) AppendExact(x Exact) error {
	rec, cache, err := tx.m.store.content(&x)
	if err == nil {
		err = tx.appendExact(&x, rec, cache)
	}
	if err != nil {
		return fmt.Errorf("%s: uid %d: %w", tx.m.Name(), x.UID, err)
	}
	return nil
}

func (tx *Tx) appendExact(x *Exact, rec *indexfile.Record, cache []byte) (err error) {
	b := tx.b
	switch {
	case x.UID <= b.hdr.LastUID:
		return fmt.Errorf("after %d: %w", b.hdr.LastUID, ErrExists)
	case b.hdr.NumRecords == math.MaxInt32:
		return ErrTooManyMessages
	}
	for _, name := range x.UserFlags {
		slot, err := tx.ExactFlag(name)
		if err != nil {
			return err
		}
		rec.UserFlags.Set(slot, true)
	}
	if !x.stub() {
		if err := b.place(&x.Append, rec); err != nil {
			return err
		}
		if len(cache) > 0 {
			if rec.CacheOffset, err = b.cache.add(tx.m, cache); err != nil {
				return err
			}
		}
	}
	b.hdr.NumRecords++
	b.hdr.LastUID = x.UID
	b.exactly(int(b.hdr.NumRecords), rec)
	if !x.Expunged {
		b.news.appended = append(b.news.appended, x.UID)
	}
	if err := b.put(int(b.hdr.NumRecords), nil, rec); err != nil {
		return err
	}
	return b.annotateExactly(rec, x.Annots)
}

// exactly takes note of a record whose modseq was given.
func (b *batch) exactly(recno int, rec *indexfile.Record) {
	b.exact = max(b.exact, rec.ModSeq, 1)
	b.hdr.HighestModSeq = max(b.hdr.HighestModSeq, rec.ModSeq)
	b.touched = append(b.touched, recent{rec.ModSeq, uint32(recno)})
	b.expungedAt(rec)
}

// expungedAt keeps FirstExpunged right.
func (b *batch) expungedAt(rec *indexfile.Record) {
	if f := &b.hdr.FirstExpunged; rec.Flags&indexfile.Expunged != 0 && (*f == 0 || *f > rec.LastUpdated) {
		*f = rec.LastUpdated
	}
}

// consistent raises what an update has set too low: a mailbox whose header is
// behind its records contradicts itself, and is counted anew.
func (b *batch) consistent() {
	n, h := int(b.hdr.NumRecords), &b.hdr
	if n > 0 && (b.exact > 0 || h.LastUID < b.base.LastUID) {
		h.LastUID = max(h.LastUID, b.rawAt(n).UID())
	}
	h.HighestModSeq = max(h.HighestModSeq, b.exact)
	if h.HighestModSeq < b.base.HighestModSeq {
		for recno := 1; recno <= n; recno++ {
			h.HighestModSeq = max(h.HighestModSeq, b.rawAt(recno).ModSeq())
		}
	}
	if b.clock != nil && h.HighestModSeq > b.base.HighestModSeq {
		b.clock.highest, b.clock.used = max(b.clock.highest, h.HighestModSeq), true
	}
}

// RewriteExact stores modseq, time, internal date, flags, conversation, save date
// and creation of r in record recno, as they are, and annots as all annotations
// that its message has. Of Flags it takes those of IMAP, Snoozed and Expunged;
// what else is in the record stays. Other processes that have the mailbox open
// notice by the modseq. The error is ErrExists for an expunged message that is
// to live again, or ErrCorrupt when r is another message.
func (tx *Tx) RewriteExact(recno int, r *indexfile.Record, annots []ExactAnnot) error {
	var old indexfile.Record
	if err := tx.Record(recno, &old); err != nil {
		return err
	}
	if old.UID != r.UID || old.UID == 0 || old.GUID != r.GUID {
		return fmt.Errorf("%s: record %d: not the same message: %w", tx.m.Name(), recno, ErrCorrupt)
	}
	if old.Flags&^r.Flags&indexfile.Expunged != 0 {
		return fmt.Errorf("%s: uid %d is expunged: %w", tx.m.Name(), r.UID, ErrExists)
	}
	const given = indexfile.System | indexfile.Snoozed | indexfile.Expunged
	n := old
	n.ModSeq, n.LastUpdated, n.InternalDate = r.ModSeq, r.LastUpdated, r.InternalDate
	n.Flags = old.Flags&^given | r.Flags&given
	n.UserFlags, n.CID, n.SaveDate, n.CreatedModSeq = r.UserFlags, r.CID, r.SaveDate, r.CreatedModSeq
	if err := tx.putExact(recno, &old, &n); err != nil {
		return err
	}
	return tx.b.annotateExactly(&n, annots)
}

// ExpungeQuietly expunges record recno and leaves it its modseq and time; one
// that is expunged already stays as it is.
func (tx *Tx) ExpungeQuietly(recno int) error {
	var old indexfile.Record
	if err := tx.Record(recno, &old); err != nil {
		return err
	}
	if old.UID == 0 || old.Flags&indexfile.Expunged != 0 {
		return nil
	}
	n := old
	n.Flags |= indexfile.Expunged
	return tx.putExact(recno, &old, &n)
}

// putExact stores n in place of old.
func (tx *Tx) putExact(recno int, old, n *indexfile.Record) error {
	b := tx.b
	if n.Flags&^old.Flags&indexfile.Expunged != 0 {
		if err := tx.expunge(recno, n); err != nil {
			return err
		}
	} else {
		b.news.flagged = append(b.news.flagged, n.UID)
	}
	b.exactly(recno, n)
	return b.put(recno, old, n)
}

// ExactFlag is UserFlag for what another server has: it may use all the slots
// there are.
func (tx *Tx) ExactFlag(name string) (slot int, err error) {
	return tx.userFlag(name, indexfile.MaxUserFlags)
}

// LearnFlags makes slots for those of the flags that have none.
func (tx *Tx) LearnFlags(names []string) error {
	for _, name := range names {
		if _, err := tx.ExactFlag(name); err != nil {
			return err
		}
	}
	return nil
}

// Recount counts anew what the header keeps of the records: counts, sizes, and
// both sync CRCs. LastUID and HighestModSeq are raised where they are too low.
func (tx *Tx) Recount() error {
	b := tx.b
	return count(&b.hdr, int(b.hdr.NumRecords), b.rawAt, b.crcs(), b.annots)
}

// annotateExactly makes annots, and what stands for fields of the record that
// the index has no room for, all annotations of a message.
func (b *batch) annotateExactly(r *indexfile.Record, annots []ExactAnnot) error {
	have, err := b.annots.exact(r.UID)
	if err != nil {
		return err
	}
	want := slices.Concat(annots, foldedOf(r, b.base.Version))
	for _, h := range have {
		if !slices.ContainsFunc(want, h.sameKey) {
			b.setExactly(r, &h, &ExactAnnot{Entry: h.Entry, User: h.User, ModSeq: r.ModSeq})
		}
	}
	for i, w := range want {
		if w.Data == nil || slices.ContainsFunc(want[:i], w.sameKey) {
			continue
		}
		var old *ExactAnnot
		if at := slices.IndexFunc(have, w.sameKey); at >= 0 {
			old = &have[at]
		}
		b.setExactly(r, old, &w)
	}
	return nil
}
