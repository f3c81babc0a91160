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
	if h, ok := s.srv.store.Known(at.entry); ok && s.headerStatus(at, &h, items, st) {
		return nil
	}
	m, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.View(s.ctx, func(v *mailbox.View) error {
		h := v.Header()
		st.count(h)
		if items&(imapwire.StatusUnseen|imapwire.StatusRecent) == 0 {
			return nil
		}
		if s.owns(at.name) || h.Options&indexfile.OptSharedSeen != 0 {
			st.unseen = unseen(v)
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

// headerStatus is readStatus with nothing but the header; false is that it takes
// more.
func (s *session) headerStatus(at *place, h *indexfile.Header, items imapwire.StatusItem, st *statusData) bool {
	st.count(h)
	if items&(imapwire.StatusUnseen|imapwire.StatusRecent) == 0 {
		return true
	}
	if h.Version < 14 || !s.owns(at.name) && h.Options&indexfile.OptSharedSeen == 0 {
		return false
	}
	st.unseen = h.Unseen
	switch {
	case s.sel != nil && s.sel.mbox.UniqueID() == at.entry.UniqueID:
		st.recent = uint32(s.sel.idx.Recent()) // they are this session's
	case h.RecentUID >= h.LastUID:
		st.recent = 0
	case h.RecentUID == 0:
		st.recent = h.Exists
	default:
		return items&imapwire.StatusRecent == 0
	}
	return true
}

// count takes over what the header counts.
func (st *statusData) count(h *indexfile.Header) {
	st.messages, st.deleted = h.Exists, h.Deleted
	st.uidNext, st.uidValidity = h.LastUID+1, h.UIDValidity
	st.highestModSeq, st.createdModSeq = h.HighestModSeq, h.CreatedModSeq
	st.size, st.deletedSize = h.QuotaUsed, h.QuotaDeletedUsed
}

// unseen is how many messages have no \Seen in their records. Old indexes do not
// keep the number.
func unseen(v *mailbox.View) (n uint32) {
	if h := v.Header(); h.Version >= 14 {
		return h.Unseen
	}
	for recno := range v.NumRecords() {
		if r := v.Raw(recno + 1); r.Live() && r.Flags()&indexfile.Seen == 0 {
			n++
		}
	}
	return n
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
