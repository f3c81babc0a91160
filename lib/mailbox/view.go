package mailbox

import (
	"context"
	"fmt"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
)

// A View is a mailbox that stands still: nobody changes it while the function
// given to Mailbox.View runs. It, and all that it hands out and that is not said
// to be kept, is of no use afterwards.
type View struct {
	m  *Mailbox
	tx *Tx // nil in a plain view
}

// View runs fn on the mailbox as it is now. fn must not View or Update any
// mailbox, nor use v in another goroutine. The error is fn's, ErrNotFound,
// ErrBadFormat, ErrCorrupt, or lock.ErrBusy when ctx ended first.
func (m *Mailbox) View(ctx context.Context, fn func(v *View) error) error {
	return m.guard(func() error {
		in, err := m.enter(ctx, lock.Shared)
		if err != nil {
			return err
		}
		defer in.leave()
		return fn(&View{m: m})
	})
}

// Mailbox is the mailbox of the view.
func (v *View) Mailbox() *Mailbox { return v.m }

// Header is the index header. In a Tx its fields may be set.
func (v *View) Header() *indexfile.Header {
	if v.tx != nil {
		return &v.tx.b.hdr
	}
	return &v.m.hdr
}

// UIDValidity, never 0.
func (v *View) UIDValidity() uint32 { return v.Header().UIDValidity }

// Generation counts repacks: record numbers are the same within one.
func (v *View) Generation() uint32 { return v.m.hdr.Generation }

// UserFlags are the names of the user flags in slot order; "" is a free slot.
// The slice may be kept, and must not be changed.
func (v *View) UserFlags() []string {
	if v.tx != nil && v.tx.b.hf != nil {
		return v.tx.b.hf.Flags
	}
	return v.m.hf.Flags
}

// ACL is the access list as cyrus.header has it.
func (v *View) ACL() string { return v.m.hf.ACL }

// QuotaRoot is the quota root that the mailbox belongs to, "" if none.
func (v *View) QuotaRoot() string { return v.m.hf.QuotaRoot }

// NumRecords is the number of records, live or not.
func (v *View) NumRecords() int {
	if v.tx != nil {
		return int(v.tx.b.hdr.NumRecords)
	}
	return v.m.table.Len()
}

// Raw is record recno, from 1 to NumRecords; another recno panics. In a Tx it
// shows what the Tx has changed.
func (v *View) Raw(recno int) indexfile.Raw {
	if v.tx != nil {
		return v.tx.b.rawAt(recno)
	}
	return v.m.table.Raw(recno)
}

// Record reads record recno. A CRC that does not fit is ErrCorrupt, with rec
// filled in.
func (v *View) Record(recno int, rec *indexfile.Record) error {
	if recno < 1 || recno > v.NumRecords() {
		return fmt.Errorf("%s: record %d of %d: %w", v.m.Name(), recno, v.NumRecords(), ErrGone)
	}
	if err := v.Raw(recno).Record(rec); err != nil {
		return fmt.Errorf("%s: %w: record %d: %w", v.m.Name(), ErrCorrupt, recno, err)
	}
	return nil
}

// Find is the record of a uid, live or not, by binary search. Without one, recno
// is the first record of a larger uid, or NumRecords+1.
func (v *View) Find(uid uint32) (recno int, ok bool) {
	if v.tx != nil {
		return v.tx.b.find(uid)
	}
	return v.m.table.Find(uid)
}

// ChangedSince calls fn for every record whose modseq is larger than modseq,
// each once, in no particular order, expunged ones too. Recent changes are
// remembered; an older modseq costs a walk over all records. An error of fn ends
// it.
func (v *View) ChangedSince(modseq uint64, fn func(recno int) error) error {
	if modseq >= v.Header().HighestModSeq {
		return nil
	}
	if v.tx == nil {
		if recent, ok := v.m.recent(modseq); ok {
			for _, c := range recent {
				// A record that changed again stands there again.
				if v.Raw(int(c.recno)).ModSeq() != c.modseq {
					continue
				}
				if err := fn(int(c.recno)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for recno := 1; recno <= v.NumRecords(); recno++ {
		if r := v.Raw(recno); r.ModSeq() > modseq && r.UID() != 0 {
			if err := fn(recno); err != nil {
				return err
			}
		}
	}
	return nil
}

// Marked are the records of all live messages with \Deleted, in order. ok is
// false when the latest changes, which are remembered, do not account for all
// that the header counts: then only a walk over the mailbox finds them.
func (v *View) Marked() (recnos []int, ok bool) {
	recnos = v.m.marked()
	for _, recno := range recnos {
		if r := v.Raw(recno); !r.Live() || r.Flags()&indexfile.Deleted == 0 {
			return nil, false // this update, or one committed with it, was there
		}
	}
	return recnos, len(recnos) == int(v.Header().Deleted)
}

// Index is the snapshot of the live messages. It may be kept, and is shared by
// all who ask before the next change. In a Tx it shows the mailbox as it was
// before the commit: what this update, or one that is committed with it, has
// expunged is still there, so look at Raw.
func (v *View) Index() *UIDIndex { return v.m.snapshot() }

// FirstUnseen is the record of the first live message without the \Seen bit of
// the record, which is the owner's, or everybody's with OptSharedSeen; 0 is
// none. The search goes on where the last one ended.
func (v *View) FirstUnseen() int { return v.m.firstUnseen() }
