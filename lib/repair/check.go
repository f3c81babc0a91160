package repair

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// CheckOptions say how far a check goes.
type CheckOptions struct {
	Content bool // read every message: its GUID, its cache record, its dates
}

// Check reads a mailbox and returns all that is not as it should be, changing
// nothing. A mailbox that a writer left half way, and that its next reader
// counts anew, is as it should be. The mailbox is locked meanwhile.
func Check(ctx context.Context, s *site.Site, e *mboxlist.Entry, o CheckOptions) ([]Finding, error) {
	if !Local(e) {
		return nil, fmt.Errorf("%s: %w", e.Name, ErrNotLocal)
	}
	ctx, unlock, err := lockMailbox(ctx, s.Mailboxes, e)
	if err != nil {
		return nil, err
	}
	defer unlock()
	copied := *e
	j, err := newJob(s, &copied, Options{DryRun: true, Reparse: o.Content})
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := j.inspect(ctx); err != nil {
		return j.findings, err
	}
	if err := j.checkQuotaRoot(); err != nil {
		return j.findings, err
	}
	j.checkClocks()
	_, err = j.checkEntry()
	if errors.Is(err, errClash) {
		err = nil // it is among the findings
	}
	return j.findings, err
}

// checkQuotaRoot compares the root that the header names with the one that the
// mailbox comes under.
func (j *job) checkQuotaRoot() error {
	want, _, err := j.site.Quota.Find(j.e.Name)
	if err != nil || j.oldFile == nil {
		return err
	}
	if is := mboxname.Name(j.oldFile.QuotaRoot); is != want {
		j.find(Quota, 0, "%s: quota root %s --> %s", j.e.Name, orNone(is), orNone(want))
	}
	return nil
}

// checkClocks checks rules that reconstruct mends in passing: modseqs of their
// own, and what the header keeps of expunged messages.
func (j *job) checkClocks() {
	seen := make(map[uint64]uint32, len(j.recs))
	for i := range j.recs {
		r := &j.recs[i]
		if r.changed || r.was != nil {
			continue
		}
		if other, dup := seen[r.ModSeq]; dup && j.old.Version >= 10 && r.ModSeq > 1 {
			j.findQuietly(Record, r.UID, "%s uid %d has the modseq %d of uid %d", j.e.Name, r.UID, r.ModSeq, other)
		}
		seen[r.ModSeq] = r.UID
		if r.CreatedModSeq > r.ModSeq {
			j.findQuietly(Record, r.UID, "%s uid %d was created at modseq %d, after its modseq %d",
				j.e.Name, r.UID, r.CreatedModSeq, r.ModSeq)
		}
		if r.Flags&indexfile.Unlinked != 0 && r.Flags&indexfile.Expunged == 0 {
			j.findQuietly(Record, r.UID, "%s uid %d is unlinked and not expunged", j.e.Name, r.UID)
		}
	}
	if !j.fresh && !j.pending && j.old.Version >= 12 && j.old.FirstExpunged > j.hdr.FirstExpunged && j.hdr.FirstExpunged != 0 {
		j.findQuietly(Counts, 0, "%s: first_expunged %d, a record says %d", j.e.Name, j.old.FirstExpunged, j.hdr.FirstExpunged)
	}
}

// CheckSite checks every mailbox and every quota root of a site.
func CheckSite(ctx context.Context, s *site.Site, o CheckOptions) ([]Finding, error) {
	entries, err := Mailboxes(s, "")
	if err != nil {
		return nil, err
	}
	var all []Finding
	var errs []error
	for _, e := range entries {
		f, err := Check(ctx, s, e, o)
		if errors.Is(err, mailbox.ErrNotFound) && gone(s, e) {
			continue
		}
		all = append(all, f...)
		errs = append(errs, err)
	}
	roots, err := QuotaRoots(s, Selection{})
	errs = append(errs, err)
	for _, root := range roots {
		f, err := sumRoot(ctx, s, root, true)
		all = append(all, f...)
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}
