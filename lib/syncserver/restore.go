package syncserver

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/csync"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/syncstate"
)

// restoreMailbox is RESTORE MAILBOX: messages of a backup are put into a mailbox.
// One that is there gets them as new ones. One that is not is made; when the
// backup knows its id, modseq and UIDVALIDITY it has these again, and its messages
// their UIDs and modseqs.
func (s *Session) restoreMailbox(ctx context.Context, value []byte, _ *Answer) error {
	m, err := csync.ParseMailbox(value)
	if err != nil {
		return err
	}
	if err := m.Check("MBOXNAME"); err != nil {
		return err
	}
	if err := checkName(m.Name); err != nil {
		return err
	}
	if !m.HasRecords {
		return errors.New("RESTORE without RECORD")
	}
	if kindOf(m.Type) == sievedir.Kind && !s.sieveMailbox() {
		return nil
	}
	ctx, unlock, err := s.e.site.Mailboxes.LockUser(ctx, m.Name.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	r := restoration{application: application{s: s, m: m}}
	if err := r.find(ctx); err != nil {
		return err
	}
	return s.e.site.Mailboxes.Update(ctx, r.entry, r.append)
}

// restoration is a RESTORE MAILBOX being carried out.
type restoration struct {
	application
	known bool // the mailbox has the identity of the backup's
}

// find finds the mailbox or makes it.
func (r *restoration) find(ctx context.Context) (err error) {
	st, m := r.s.e.site, r.m
	r.entry, err = st.List.Lookup(m.Name)
	switch {
	case err == nil && isLive(r.entry):
		if bareType(r.entry.Type) != bareType(m.Type) {
			return fmt.Errorf("INVALID MAILBOX TYPE %s (%s, %s)", m.Name, r.entry.Type, m.Type)
		}
		return nil
	case err != nil && !errors.Is(err, mboxlist.ErrNotFound):
		return err
	}
	if m.Partition == "" {
		if m.Partition, err = st.Partitions.Choose(); err != nil {
			return err
		}
	}
	if r.known = m.UniqueID != "" && m.HighestModSeq != 0 && m.UIDValidity != 0; r.known {
		return r.create(ctx)
	}
	p := mboxops.CreateParams{Partition: m.Partition}
	if m.Type != "" {
		p.Kind = m.Type[0]
	}
	r.entry, err = r.s.ops(ctx).Create(ctx, mboxops.Root(""), m.Name, p)
	r.fresh = err == nil
	return err
}

// append puts the messages in.
func (r *restoration) append(tx *mailbox.Tx) error {
	h := tx.Header()
	if r.known {
		h.HighestModSeq = r.m.HighestModSeq
		h.Options = syncstate.SetOptions(h.Options, r.m.Options)
	}
	for rec := range r.m.Records.All() {
		x, err := r.exact(rec)
		if err != nil {
			return err
		}
		if !r.known || x.UID <= h.LastUID {
			x.UID = h.LastUID + 1
		}
		if !r.known || x.ModSeq == 0 || x.ModSeq > h.HighestModSeq {
			if x.ModSeq, err = tx.TouchModSeq(); err != nil {
				return err
			}
			x.LastUpdated = tx.Now()
		}
		if err := tx.AppendExact(x); err != nil {
			return err
		}
	}
	if !r.fresh {
		return nil
	}
	return r.s.e.site.Ops.ReplaceAnnotations(tx, r.entry, r.annotations())
}
