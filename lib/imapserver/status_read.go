package imapserver

import (
	"fmt"
	"sort"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seen"
	"gocyrus/lib/seqset"
)

// readStatus reads counters from the mailbox's index header; only \Recent and,
// for others than the owner, \Seen take more than that.
func (s *session) readStatus(at *place, items imapwire.StatusItem, st *statusData) error {
	m, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.View(s.ctx, func(v *mailbox.View) error {
		h := v.Header()
		st.messages, st.deleted = h.Exists, h.Deleted
		st.uidNext, st.uidValidity = h.LastUID+1, v.UIDValidity()
		st.highestModSeq, st.createdModSeq = h.HighestModSeq, h.CreatedModSeq
		st.size, st.deletedSize = h.QuotaUsed, h.QuotaDeletedUsed
		if items&(imapwire.StatusUnseen|imapwire.StatusRecent) == 0 {
			return nil
		}
		if s.owns(at.name) || h.Options&indexfile.OptSharedSeen != 0 {
			st.unseen = h.Unseen
			st.recent = above(v.Index(), h.RecentUID)
		} else if err := s.readSeen(m, v.Index(), st); err != nil {
			return err
		}
		if s.sel != nil && s.sel.mbox.UniqueID() == m.UniqueID() {
			st.recent = uint32(s.sel.idx.Recent()) // they are this session's
		}
		return nil
	})
}

// readSeen counts by what the user has seen of another's mailbox.
func (s *session) readSeen(m *mailbox.Mailbox, idx *mailbox.UIDIndex, st *statusData) error {
	rec := seen.Record{}
	if s.srv.seen != nil {
		var err error
		if rec, err = s.srv.seen.For(s.user, s.inboxID()).Get(m.UniqueID()); err != nil {
			return fmt.Errorf("seen state of %s: %w", s.user, err)
		}
	}
	set, err := seqset.Parse(rec.UIDs)
	if err != nil {
		return fmt.Errorf("seen state of %s: %w", s.user, err)
	}
	st.recent = above(idx, rec.LastUID)
	st.unseen = uint32(idx.Len())
	for _, r := range set {
		st.unseen -= above(idx, r.First-1) - above(idx, r.Last)
	}
	return nil
}

// above is how many messages have a larger UID.
func above(idx *mailbox.UIDIndex, uid uint32) uint32 {
	n := idx.Len()
	return uint32(n - sort.Search(n, func(i int) bool { return idx.UID(i+1) > uid }))
}
