package syncclient

import (
	"fmt"

	"gocyrus/lib/annotate"
	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
)

// merger carries a plan out in one update.
type merger struct {
	tx     *mailbox.Tx
	ops    *mboxops.Ops
	entry  *mboxlist.Entry
	remote *csync.Mailbox
	bodies *bodies
}

func (m *merger) do(plan *mergePlan) error {
	h := m.tx.Header()
	h.HighestModSeq = max(h.HighestModSeq, plan.HighestModSeq)
	h.UIDValidity = max(h.UIDValidity, plan.UIDValidity)
	for _, s := range plan.Steps {
		if s.Act.turn() > 0 {
			// New UIDs lie above all that either side has given out.
			h.LastUID = max(h.LastUID, plan.LastUID)
		}
		if err := m.step(s); err != nil {
			return fmt.Errorf("uid %d: %w", s.UID, err)
		}
	}
	h.LastUID = max(h.LastUID, plan.LastUID)
	if !plan.Annotations {
		return nil
	}
	return m.ops.ReplaceAnnotations(m.tx, m.entry, m.stored(m.remote.Annotations))
}

func (m *merger) step(s mergeStep) error {
	switch s.Act {
	case fetch:
		return m.appendRemote(s.Remote, s.Remote.UID)
	case fetchNew:
		return m.appendRemote(s.Remote, m.tx.Header().LastUID+1)
	}
	recno, ok := m.tx.Find(s.UID)
	if !ok {
		return mailbox.ErrCorrupt
	}
	switch s.Act {
	case expunge:
		return m.tx.Expunge(recno)
	case renumber:
		return m.renumber(recno)
	case take:
		return m.take(recno, s.Remote)
	default:
		var r indexfile.Record
		if err := m.tx.Record(recno, &r); err != nil {
			return err
		}
		return m.tx.Rewrite(recno, &r)
	}
}

// renumber gives a message a new UID, and expunges the old one.
func (m *merger) renumber(recno int) error {
	src, err := m.tx.Source(recno)
	if err != nil {
		return err
	}
	annots, err := m.tx.ExactAnnots(src.Record.UID)
	if err != nil {
		return err
	}
	modseq, err := m.tx.TouchModSeq()
	if err != nil {
		return err
	}
	err = m.tx.AppendExact(mailbox.Exact{
		Append: mailbox.Append{
			From:          src,
			UID:           m.tx.Header().LastUID + 1,
			InternalDate:  src.Record.InternalDate,
			Flags:         src.Record.Flags & (indexfile.System | indexfile.Snoozed),
			UserFlags:     src.Flags,
			SaveDate:      src.Record.SaveDate,
			CID:           src.Record.CID,
			CreatedModSeq: src.Record.CreatedModSeq,
		},
		ModSeq:      modseq,
		LastUpdated: m.tx.Now(),
		GUID:        src.Record.GUID,
		Annots:      annots,
	})
	if err != nil {
		return err
	}
	return m.tx.Expunge(recno)
}

// appendRemote appends a message of the replica.
func (m *merger) appendRemote(r *csync.Record, uid uint32) error {
	stored, virtual, err := csync.TakeSynthetic(r.Annotations)
	if err != nil {
		return err
	}
	modseq, err := m.tx.TouchModSeq()
	if err != nil {
		return err
	}
	path, sync := m.bodies.file(r.GUID)
	flags, names := splitFlags(r.Flags)
	return m.tx.AppendExact(mailbox.Exact{
		Append: mailbox.Append{
			File:          path,
			Sync:          sync,
			UID:           uid,
			InternalDate:  r.InternalDate,
			Flags:         flags,
			UserFlags:     names,
			SaveDate:      virtual.SaveDate,
			CID:           virtual.CID,
			CreatedModSeq: virtual.CreatedModSeq,
		},
		ModSeq:      modseq,
		LastUpdated: m.tx.Now(),
		GUID:        indexfile.GUID(r.GUID),
		Annots:      m.stored(stored),
	})
}

// take gives a message the flags and annotations that it has at the replica.
func (m *merger) take(recno int, remote *csync.Record) error {
	var r indexfile.Record
	if err := m.tx.Record(recno, &r); err != nil {
		return err
	}
	stored, virtual, err := csync.TakeSynthetic(remote.Annotations)
	if err != nil {
		return err
	}
	flags, names := splitFlags(remote.Flags)
	r.Flags = r.Flags&^indexfile.System | flags
	r.UserFlags = indexfile.UserFlags{}
	for _, n := range names {
		slot, err := m.tx.ExactFlag(n)
		if err != nil {
			return err
		}
		r.UserFlags.Set(slot, true)
	}
	if virtual.CID != 0 {
		r.CID = virtual.CID
	}
	if r.ModSeq, err = m.tx.TouchModSeq(); err != nil {
		return err
	}
	r.LastUpdated = m.tx.Now()
	return m.tx.RewriteExact(recno, &r, m.stored(stored))
}

func (m *merger) stored(list []csync.Annotation) []mailbox.ExactAnnot {
	all := make([]mailbox.ExactAnnot, len(list))
	for i, a := range list {
		all[i] = mailbox.ExactAnnot{Entry: a.Entry, User: annotate.UserOf(a.UserID, m.entry.Name.Owner()), ModSeq: a.ModSeq, Data: a.Value}
	}
	return all
}

// splitFlags parts the flags of the system from those of users.
func splitFlags(all []string) (flags indexfile.Flags, names []string) {
	for _, f := range all {
		if bit, ok := csync.SystemFlag(f); ok {
			flags |= bit & indexfile.System
		} else {
			names = append(names, f)
		}
	}
	return flags, names
}
