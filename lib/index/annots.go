package index

import (
	"context"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
	"gocyrus/lib/seqset"
)

// vendor is in front of Cyrus's own entries.
const vendor = "/vendor/cmu/cyrus-imapd/"

// AnnotUser is how annotations of this mailbox's messages that are private to
// the session's user are keyed.
func (s *State) AnnotUser() string { return annotate.UserOf(s.who.User, s.mbox.Owner()) }

// Annots are the annotations of a message that have a value, of all users, in
// order of entries.
func (r *Reader) Annots(raw indexfile.Raw) ([]mailbox.Annot, error) {
	if r.annots == nil {
		r.annots = r.v.Annotations()
	}
	return r.annots.Of(raw.UID())
}

// Annotate changes annotations of messages, in one transaction, and returns the
// numbers of those that unchangedSince kept from it, if conditional. A shared
// value takes the right n, a private one r. Messages that others have expunged
// are passed over.
func (s *State) Annotate(ctx context.Context, set Numbers, change []mailbox.Annot, conditional bool, unchangedSince uint64, ignoreQuota bool) (failed Numbers, err error) {
	if s.readOnly {
		return nil, ErrReadOnly
	}
	for _, c := range change {
		need := acl.Read
		if c.User == "" {
			need = acl.Annotate
		}
		if s.who.Rights&need == 0 {
			return nil, ErrRights
		}
	}
	var kept seqset.Set
	err = s.mbox.Update(ctx, func(tx *mailbox.Tx) error {
		kept = nil
		before := tx.Header().AnnotUsed
		r := s.reader(&tx.View)
		for seq := range set.All {
			recno, ok := r.recno(seq)
			if !ok || !r.v.Raw(recno).Live() {
				continue
			}
			if conditional && r.v.Raw(recno).ModSeq() > unchangedSince {
				kept.Add(uint32(seq))
				continue
			}
			if err := tx.SetAnnots(recno, change); err != nil {
				return err
			}
		}
		if more := int64(tx.Header().AnnotUsed) - int64(before); more > 0 && !ignoreQuota {
			return tx.CheckQuota(quota.Usage{quota.AnnotationStorage: more})
		}
		return nil
	})
	return Numbers(kept), err
}

// carried are the annotations that go along with a copy: those for all and the
// user's own (RFC 5257 section 4.6). What the server has noted about the one
// message stays with it.
func (r *Reader) carried(raw indexfile.Raw, target *Target) ([]mailbox.Annot, error) {
	all, err := r.Annots(raw)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	mine, theirs := r.AnnotUser(), annotate.UserOf(target.Who.User, target.Mailbox.Owner())
	kept := all[:0]
	for _, a := range all {
		switch {
		case ownFact[a.Entry] || a.User != "" && a.User != mine:
			continue
		case a.User != "":
			a.User = theirs
		}
		kept = append(kept, a)
	}
	return kept, nil
}

// ownFact are entries that say something of one message only: values that old
// versions of the index have no place for, and when it is to come back.
var ownFact = map[string]bool{
	vendor + "savedate": true, vendor + "createdmodseq": true,
	vendor + "thrid": true, vendor + "basethrid": true,
	vendor + "snoozed": true, vendor + "snoozed-until": true,
}
