package mailbox

import (
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// A Tx is one update of a mailbox, and a View of it as the update has made it so
// far. It is of no use after the function given to Update.
type Tx struct {
	View
	b    *batch
	soft bool
}

// Soft says that what this update does need not survive a crash of the machine:
// which messages are recent, or when a mailbox was last read. Such a commit
// waits for no disk. Every process sees it all the same, and the next commit
// that is not soft makes it durable.
func (tx *Tx) Soft() { tx.soft = true }

// Quiet says that the quota roots keep their modseqs, whatever this update changes
// of what they count: another server has given them.
func (tx *Tx) Quiet() { tx.b.quiet = true }

// Now is the time of the update, which its records get as LastUpdated.
func (tx *Tx) Now() uint32 { return tx.b.now }

// Rewrite stores r as record recno, which has to be the same message, and gives
// it a modseq of its own and the time; r is changed accordingly. An expunged
// record stays so.
func (tx *Tx) Rewrite(recno int, r *indexfile.Record) error {
	var old indexfile.Record
	if err := tx.Record(recno, &old); err != nil {
		return err
	}
	if old.UID != r.UID || old.UID == 0 {
		return fmt.Errorf("%s: record %d: uid %d for %d: %w", tx.m.Name(), recno, r.UID, old.UID, ErrCorrupt)
	}
	b := tx.b
	ms, err := b.tick()
	if err != nil {
		return err
	}
	r.Flags |= old.Flags & indexfile.Expunged
	r.ModSeq, r.LastUpdated = ms, b.now
	expunged := r.Flags&indexfile.Expunged != 0
	if fresh := expunged && old.Flags&indexfile.Expunged == 0; fresh {
		if err := tx.expunge(recno, r); err != nil {
			return err
		}
	} else {
		b.news.flagged = append(b.news.flagged, r.UID)
	}
	b.expungedAt(r)
	b.touched = append(b.touched, recent{ms, uint32(recno)})
	return b.put(recno, &old, r)
}

// expunge is what goes with the first expunge of r.
func (tx *Tx) expunge(recno int, r *indexfile.Record) error {
	b := tx.b
	switch tx.m.store.opt.Expunge {
	case ExpungeImmediate:
		r.Flags |= indexfile.Unlinked | indexfile.NeedsCleanup
		b.hdr.Options |= indexfile.OptNeedsUnlink | indexfile.OptNeedsRepack
	case ExpungeSemidelayed:
		r.Flags |= indexfile.Unlinked | indexfile.NeedsCleanup
		b.hdr.Options |= indexfile.OptNeedsUnlink
	}
	b.gone = append(b.gone, uint32(recno))
	b.news.expunged = append(b.news.expunged, r.UID)
	used, crc, err := b.annots.sums(r.UID)
	if err != nil {
		return err
	}
	b.hdr.SyncCRCAnnot ^= crc
	b.hdr.AnnotUsed -= min(b.hdr.AnnotUsed, used)
	return nil
}

// RewriteQuietly stores r without a new modseq or time: for what no client sees,
// such as where the cache is or that the file is gone.
func (tx *Tx) RewriteQuietly(recno int, r *indexfile.Record) error {
	var old indexfile.Record
	if err := tx.Record(recno, &old); err != nil {
		return err
	}
	if old.UID != r.UID || (old.Flags^r.Flags)&indexfile.Expunged != 0 {
		return fmt.Errorf("%s: record %d: not the same message: %w", tx.m.Name(), recno, ErrCorrupt)
	}
	if r.Flags&indexfile.Unlinked != 0 && old.Flags&indexfile.Unlinked == 0 {
		tx.b.hdr.Options |= indexfile.OptNeedsUnlink | indexfile.OptNeedsRepack
	}
	return tx.b.put(recno, &old, r)
}

// Expunge expunges record recno; one that is expunged already stays as it is.
func (tx *Tx) Expunge(recno int) error {
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return err
	}
	if r.UID == 0 || r.Flags&indexfile.Expunged != 0 {
		return nil
	}
	r.Flags |= indexfile.Expunged
	return tx.Rewrite(recno, &r)
}

// UserFlag is the slot of a user flag, which is made if there is none. The error
// is ErrTooManyFlags.
func (tx *Tx) UserFlag(name string) (slot int, err error) {
	return tx.userFlag(name, indexfile.MaxClientFlags)
}

// userFlag is UserFlag within the first limit slots.
func (tx *Tx) userFlag(name string, limit int) (slot int, err error) {
	hf := tx.headerFile()
	if slot = hf.Slot(name); slot >= 0 {
		return slot, nil
	}
	if slot = slices.Index(hf.Flags, ""); slot < 0 {
		slot = len(hf.Flags)
	}
	if slot >= limit {
		return 0, fmt.Errorf("%s: %q: %w", tx.m.Name(), name, ErrTooManyFlags)
	}
	hf = tx.editHeaderFile()
	if slot == len(hf.Flags) {
		hf.Flags = append(hf.Flags, name)
	} else {
		hf.Flags[slot] = name
	}
	tx.b.flags.SetName(slot, name)
	return slot, nil
}

func (tx *Tx) headerFile() *headerfile.Header {
	if tx.b.hf != nil {
		return tx.b.hf
	}
	return tx.m.hf
}

// editHeaderFile is a copy of cyrus.header of which the commit makes the file.
func (tx *Tx) editHeaderFile() *headerfile.Header {
	b := tx.b
	b.hf = tx.headerFile().Clone()
	if b.flags == nil {
		c := tx.m.crcs
		b.flags = &c
	}
	// The old form has neither, and a mailbox may have been renamed.
	e := tx.m.entry.Load()
	b.hf.Type, b.hf.Name, b.hf.UniqueID = headerType(e), string(e.Name), e.UniqueID
	return b.hf
}

// SetACL replaces the access list in cyrus.header: identifier TAB rights TAB,
// repeated.
func (tx *Tx) SetACL(list string) {
	if tx.headerFile().ACL == list {
		return
	}
	tx.editHeaderFile().ACL = list
	tx.b.acl = true
}

// SetQuotaRoot replaces the quota root; "" is none. What the mailbox uses is
// taken off the account of the old root and put on that of the new one.
func (tx *Tx) SetQuotaRoot(root string) {
	if tx.headerFile().QuotaRoot == root {
		return
	}
	tx.editHeaderFile().QuotaRoot = root
	tx.b.acl = true
}

// SetName writes the name and type that the mailbox was last opened with into
// cyrus.header: for renames.
func (tx *Tx) SetName() {
	tx.editHeaderFile()
	tx.b.acl = true
}

// with has fn run before the commit puts the new cyrus.header in place, while
// that is being written. An error of fn is one of the commit, which has changed
// nothing then. It is for an update that runs apart from others.
func (tx *Tx) with(fn func() error) { tx.b.with = fn }

// TouchModSeq raises the mailbox's modseq without a record: something that
// belongs to the mailbox itself has changed.
func (tx *Tx) TouchModSeq() (uint64, error) { return tx.b.tick() }

// CheckQuota says whether the mailbox's quota root has room for more. The error
// is quota.ErrOver, or that of the database. What the updates before this one in
// the same commit add is taken into account.
func (tx *Tx) CheckQuota(more quota.Usage) error {
	root, db := tx.headerFile().QuotaRoot, tx.m.store.quota
	if db == nil || root == "" {
		return nil
	}
	q, err := db.Get(mboxname.Name(root))
	if errors.Is(err, quota.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	was, is := usage(&tx.b.base), usage(&tx.b.hdr)
	for r := range q.Used {
		q.Used[r] += is[r] - was[r]
	}
	return q.CheckAll(more)
}
