package repair

import "gocyrus/lib/indexfile"

// count counts all records anew and reports where the header says otherwise.
func (j *job) count() error {
	own, err := j.ownAnnotations()
	if err != nil {
		return err
	}
	// What the header would say if it had been right until now: only what the
	// pass itself changes makes no finding.
	kept := j.hdr
	for i := range j.recs {
		r := &j.recs[i]
		if r.was != nil {
			j.tally(&kept, r.was, r.annots, false)
		}
		if r.was != nil || r.changed {
			j.tally(&kept, &r.Record, r.annots, true)
		}
	}
	j.recount(own)
	j.unsure = j.fresh || j.pending || j.moved
	if !j.fresh {
		j.compareCounts(&kept)
	}
	return nil
}

// recount sets in hdr what the records say.
func (j *job) recount(own uint32) {
	h := &j.hdr
	h.ResetCounts()
	h.AnnotUsed, h.FirstExpunged = own, 0
	h.NumRecords = uint32(len(j.recs))
	for i := range j.recs {
		r := &j.recs[i]
		j.tally(h, &r.Record, r.annots, true)
		if r.Flags&indexfile.Expunged != 0 && (h.FirstExpunged == 0 || h.FirstExpunged > r.LastUpdated) {
			h.FirstExpunged = r.LastUpdated
		}
	}
}

// tally adds a record to the counts of h, or takes it away.
func (j *job) tally(h *indexfile.Header, r *indexfile.Record, a *annots, add bool) {
	h.Count(r, add)
	h.SyncCRC ^= j.crcs.Basic(r)
	h.SyncCRCAnnot ^= indexfile.Virtual(r, h.Version)
	if r.Flags&indexfile.Expunged != 0 {
		return
	}
	h.SyncCRCAnnot ^= a.crc
	if add {
		h.AnnotUsed += a.used
	} else {
		h.AnnotUsed -= min(h.AnnotUsed, a.used)
	}
}

// compareCounts reports where the header was wrong.
func (j *job) compareCounts(kept *indexfile.Header) {
	now, name := &j.hdr, j.e.Name
	for _, c := range []struct {
		format   string
		old, now uint64
		since    uint32
		quiet    bool
	}{
		{"%s updating quota_mailbox_used: %d => %d", kept.QuotaUsed, now.QuotaUsed, 0, false},
		{"%s updating quota_annot_used: %d => %d", uint64(kept.AnnotUsed), uint64(now.AnnotUsed), 13, false},
		{"%s updating quota_deleted_used: %d => %d", kept.QuotaDeletedUsed, now.QuotaDeletedUsed, 18, false},
		{"%s updating quota_expunged_used: %d => %d", kept.QuotaExpungedUsed, now.QuotaExpungedUsed, 18, false},
		{"%s: updating answered %d => %d", uint64(kept.Answered), uint64(now.Answered), 0, false},
		{"%s: updating flagged %d => %d", uint64(kept.Flagged), uint64(now.Flagged), 0, false},
		{"%s: updating deleted %d => %d", uint64(kept.Deleted), uint64(now.Deleted), 0, false},
		{"%s: updating exists %d => %d", uint64(kept.Exists), uint64(now.Exists), 12, false},
		{"%s: updating unseen %d => %d", uint64(kept.Unseen), uint64(now.Unseen), 14, true},
		{"%s: updating sync_crc %d => %d", uint64(kept.SyncCRC), uint64(now.SyncCRC), 12, false},
		{"%s: updating sync_crc_annot %d => %d", uint64(kept.SyncCRCAnnot), uint64(now.SyncCRCAnnot), 13, false},
	} {
		if c.old == c.now || j.old.Version < c.since {
			continue
		}
		j.dirty, j.unsure = true, true
		if j.pending {
			// A writer was killed half way: whoever opens the mailbox next
			// counts anew.
			continue
		}
		if c.quiet {
			j.findQuietly(Counts, 0, c.format, name, c.old, c.now)
		} else {
			j.find(Counts, 0, c.format, name, c.old, c.now)
		}
	}
}
