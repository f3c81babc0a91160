package syncserver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// check says whether the mailbox is in a state from which the master's can be
// reached, without changing anything.
func (a *application) check(tx *mailbox.Tx) error {
	h, m := tx.Header(), a.m
	if s := m.Since; s != nil && s.ModSeq != 0 && (s.ModSeq != h.HighestModSeq || !sameCRC(s.CRC, h.SyncCRC) || !sameCRC(s.CRCAnnot, h.SyncCRCAnnot)) {
		log.Notice("SYNCNOTICE: mailbox sync mismatch mailbox=<%s> hms_master=<%d> hms_replica=<%d> crcs_master=<%d/%d> crcs_replica=<%d/%d>",
			m.Name, s.ModSeq, h.HighestModSeq, s.CRC, s.CRCAnnot, h.SyncCRC, h.SyncCRCAnnot)
		return csync.ErrChanged
	}
	if have := bareType(a.entry.Type); have != bareType(m.Type) {
		return fmt.Errorf("INVALID MAILBOX TYPE %s (%s, %s)", m.Name, have, bareType(m.Type))
	}
	if !a.fresh {
		if err := a.checkHeader(tx); err != nil {
			return err
		}
	}
	return a.checkRecords(tx)
}

// bareType is a type without what is each server's own.
func bareType(t string) string {
	t = mboxlist.Without(strings.ReplaceAll(t, "l", ""), mboxlist.FlagRemote)
	if t == "" {
		return "e"
	}
	return t
}

// checkHeader finds what the replica has and the master does not know of.
func (a *application) checkHeader(tx *mailbox.Tx) error {
	h, m := tx.Header(), a.m
	conv, err := tx.XConvModSeq()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what         string
		theirs, ours uint64
	}{
		{"modseq", m.HighestModSeq, h.HighestModSeq},
		{"uidvalidity", uint64(m.UIDValidity), uint64(h.UIDValidity)},
		{"last_uid", uint64(m.LastUID), uint64(h.LastUID)},
		{"xconvmodseq", m.XConvModSeq, conv},
	} {
		if c.theirs >= c.ours || c.what == "xconvmodseq" && c.theirs == 0 {
			continue
		}
		if !a.force {
			log.Notice("higher %s on replica %s - %d < %d", c.what, m.Name, c.theirs, c.ours)
			return csync.ErrChecksum
		}
		log.Notice("forcesync: higher %s on replica %s - %d < %d", c.what, m.Name, c.theirs, c.ours)
	}
	return nil
}

// checkRecords finds records that contradict those of the mailbox, and messages
// that are neither here nor have been sent.
func (a *application) checkRecords(tx *mailbox.Tx) error {
	last := tx.Header().LastUID
	for r := range a.m.Records.All() {
		recno, ok := tx.Find(r.UID)
		expunged := r.Has(csync.Expunged)
		switch {
		case ok:
			if err := a.checkRecord(tx.Raw(recno), r, expunged); err != nil {
				return err
			}
		case r.UID <= last && !expunged:
			log.Notice("SYNCNOTICE: not on replica mailbox=<%s> uid=<%d>", a.m.Name, r.UID)
			return csync.ErrChecksum
		case r.UID > last && !expunged:
			if _, ok := a.s.stage.find(a.entry.Partition, r.GUID); !ok {
				return fmt.Errorf("%s: uid %d: message %s was not sent", a.m.Name, r.UID, r.GUID)
			}
		}
	}
	return nil
}

// checkRecord compares a record with the replica's of its UID.
func (a *application) checkRecord(ours indexfile.Raw, r *csync.Record, expunged bool) error {
	gone := ours.Flags()&indexfile.Expunged != 0
	why := ""
	switch {
	case gone && expunged:
		return nil
	case ours.GUID() != indexfile.GUID(r.GUID):
		why = "guid mismatch"
	case ours.ModSeq() > r.ModSeq && a.force:
		log.Notice("forcesync: higher modseq on replica %s %d (%d > %d)", a.m.Name, r.UID, ours.ModSeq(), r.ModSeq)
		return nil
	case ours.ModSeq() > r.ModSeq:
		why = "higher modseq on replica"
	case gone:
		why = "expunged on replica"
	default:
		return nil
	}
	log.Notice("SYNCNOTICE: %s mailbox=<%s> uid=<%d>", why, a.m.Name, r.UID)
	return csync.ErrChecksum
}

// batchSize is how many messages are appended at once: enough to keep several
// readers of files busy, and few enough for memory.
const batchSize = 1024

// records makes the mailbox's records the master's.
func (a *application) records(tx *mailbox.Tx) error {
	if err := tx.LearnFlags(a.m.UserFlags); err != nil {
		return err
	}
	last := tx.Header().LastUID
	var batch []mailbox.Exact
	for r := range a.m.Records.All() {
		if recno, ok := tx.Find(r.UID); ok {
			if err := a.rewrite(tx, recno, r); err != nil {
				return err
			}
			continue
		}
		if r.UID <= last {
			continue // expunged, and never seen here
		}
		x, err := a.exact(r)
		if err != nil {
			return err
		}
		if batch = append(batch, x); len(batch) == batchSize {
			if err := tx.AppendAllExact(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return tx.AppendAllExact(batch)
}

// exact is a record that is new here.
func (a *application) exact(r *csync.Record) (mailbox.Exact, error) {
	x := mailbox.Exact{ModSeq: r.ModSeq, LastUpdated: r.LastUpdated, GUID: indexfile.GUID(r.GUID), Expunged: r.Has(csync.Expunged)}
	x.UID, x.InternalDate = r.UID, r.InternalDate
	x.Flags, x.UserFlags = a.flags(r)
	annots, syn, err := a.split(r)
	if err != nil {
		return x, err
	}
	x.Annots, x.CID, x.SaveDate, x.CreatedModSeq = annots, syn.CID, syn.SaveDate, syn.CreatedModSeq
	if snoozed(annots) {
		x.Flags |= indexfile.Snoozed
	}
	f, ok := a.s.stage.find(a.entry.Partition, r.GUID)
	switch {
	case ok:
		x.File, x.Message = f.path, a.s.stage.message(f)
		if !f.durable {
			x.Sync = mailbox.SyncPath(f.path)
		}
	case x.Expunged:
		x.Size = r.Size
	default:
		return x, fmt.Errorf("uid %d: message %s was not sent", r.UID, r.GUID)
	}
	return x, nil
}

// flags are a record's: those of the system, and keywords. An unknown one of the
// system is dropped, as Cyrus does.
func (a *application) flags(r *csync.Record) (system indexfile.Flags, user []string) {
	for _, f := range r.Flags {
		bit, ok := csync.SystemFlag(f)
		switch {
		case f == csync.Expunged:
		case ok:
			system |= bit
		case strings.HasPrefix(f, `\`):
			log.Notice("Unknown system flag: %s", f)
		default:
			user = append(user, f)
		}
	}
	return system, user
}

// split takes apart which annotations of a message are stored as such and which
// stand for fields of its record.
func (a *application) split(r *csync.Record) ([]mailbox.ExactAnnot, csync.Synthetic, error) {
	stored, syn, err := csync.TakeSynthetic(r.Annotations)
	return storedAnnots(stored, a.m.Name.Owner()), syn, err
}

// snoozedEntry is the annotation that makes a message a snoozed one.
const snoozedEntry = "/vendor/cmu/cyrus-imapd/snoozed"

func snoozed(annots []mailbox.ExactAnnot) bool {
	return slices.ContainsFunc(annots, func(x mailbox.ExactAnnot) bool { return x.Entry == snoozedEntry && len(x.Data) > 0 })
}

// rewrite makes record recno what the master has. One that is so already is left
// alone, for a master may well send everything.
func (a *application) rewrite(tx *mailbox.Tx, recno int, r *csync.Record) error {
	var old indexfile.Record
	if err := tx.Record(recno, &old); err != nil {
		return err
	}
	gone, expunged := old.Flags&indexfile.Expunged != 0, r.Has(csync.Expunged)
	if gone && expunged {
		return nil
	}
	rec := old
	rec.ModSeq, rec.LastUpdated, rec.InternalDate = r.ModSeq, r.LastUpdated, r.InternalDate
	system, user := a.flags(r)
	rec.Flags = old.Flags&^(indexfile.System|indexfile.Snoozed) | system
	if expunged {
		rec.Flags |= indexfile.Expunged
	}
	rec.UserFlags = indexfile.UserFlags{}
	for _, name := range user {
		slot, err := tx.ExactFlag(name)
		if err != nil {
			return err
		}
		rec.UserFlags.Set(slot, true)
	}
	annots, syn, err := a.split(r)
	if err != nil {
		return err
	}
	if snoozed(annots) {
		rec.Flags |= indexfile.Snoozed
	}
	rec.CID, rec.SaveDate, rec.CreatedModSeq = syn.CID, syn.SaveDate, syn.CreatedModSeq
	if rec == old {
		have, err := tx.ExactAnnots(r.UID)
		if err != nil || sameAnnots(have, annots) {
			return err
		}
	}
	return tx.RewriteExact(recno, &rec, annots)
}

// sameAnnots compares sets of annotations. As in Cyrus a value that is the same
// keeps its modseq.
func sameAnnots(a, b []mailbox.ExactAnnot) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x mailbox.ExactAnnot) bool {
		return !slices.ContainsFunc(b, func(y mailbox.ExactAnnot) bool {
			return x.Entry == y.Entry && x.User == y.User && bytes.Equal(x.Data, y.Data)
		})
	})
}
