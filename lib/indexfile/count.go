package indexfile

// Count adds r to the counts and sizes of h, or takes it away; sync CRCs are the
// caller's. Records without a file are not counted at all, expunged ones only
// for what they occupy. Nothing goes below zero: a damaged count must not become
// four billion.
func (h *Header) Count(r *Record, add bool) {
	switch {
	case r.UID == 0 || r.Flags&Unlinked != 0:
		return
	case r.Flags&Expunged != 0:
		size(&h.QuotaExpungedUsed, r.Size, add)
		return
	}
	if r.Flags&Answered != 0 {
		count(&h.Answered, add)
	}
	if r.Flags&Flagged != 0 {
		count(&h.Flagged, add)
	}
	if r.Flags&Deleted != 0 {
		count(&h.Deleted, add)
		size(&h.QuotaDeletedUsed, r.Size, add)
	}
	if r.Flags&Seen == 0 {
		count(&h.Unseen, add)
	}
	count(&h.Exists, add)
	size(&h.QuotaUsed, r.Size, add)
}

func count(n *uint32, add bool) {
	switch {
	case add:
		*n++
	case *n > 0:
		*n--
	}
}

func size(n *uint64, by uint32, add bool) {
	switch {
	case add:
		*n += uint64(by)
	case *n > uint64(by):
		*n -= uint64(by)
	default:
		*n = 0
	}
}

// ResetCounts sets all that Count and the sync CRCs keep to the start. Octets of
// annotations stay.
func (h *Header) ResetCounts() {
	h.Answered, h.Flagged, h.Deleted, h.Unseen, h.Exists = 0, 0, 0, 0, 0
	h.QuotaUsed, h.QuotaDeletedUsed, h.QuotaExpungedUsed = 0, 0, 0
	h.SyncCRC, h.SyncCRCAnnot = SyncCRCStart, SyncCRCAnnotStart
}
