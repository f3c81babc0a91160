package imapserver

import (
	"strconv"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/seqset"
)

// resync tells what has changed since the client last had the mailbox selected
// (RFC 7162 section 3.2.5). Of another UIDVALIDITY nothing is told.
func (s *session) resync(q *imapwire.QResync) error {
	idx := s.sel.idx
	same := false
	err := idx.View(s.ctx, func(r *index.Reader) error {
		same = r.Header().UIDValidity == q.UIDValidity
		return nil
	})
	if err != nil || !same || q.ModSeq >= idx.Told() {
		return err
	}
	gone, err := idx.Vanished(s.ctx, q.UIDs, q.ModSeq, index.Match{Seqs: q.MatchSeq, UIDs: q.MatchUID})
	if err != nil {
		return err
	}
	s.earlier(gone)
	return idx.View(s.ctx, func(r *index.Reader) error {
		changed, err := r.Since(q.UIDs, q.ModSeq)
		if err != nil {
			return err
		}
		b := s.in.Scratch()
		for _, seq := range changed {
			b = s.appendFlagsOf(b, r, seq, true, true)
		}
		return s.in.Commit(b)
	})
}

// earlier writes VANISHED (EARLIER).
func (s *session) earlier(gone seqset.Set) {
	if len(gone) == 0 {
		return
	}
	b := append(s.in.Scratch(), "* VANISHED (EARLIER) "...)
	b = gone.Append(b)
	s.in.Commit(append(b, "\r\n"...))
}

// appendFlagsOf appends a FETCH with the flags of message seq, and what else is
// asked for.
func (s *session) appendFlagsOf(b []byte, r *index.Reader, seq int, uid, modseq bool) []byte {
	raw, ok := r.Raw(seq)
	if !ok {
		return b
	}
	b = appendFetch(b, seq)
	b = s.sel.flags.append(b, r.Flags(raw))
	if uid {
		b = strconv.AppendUint(append(b, " UID "...), uint64(raw.UID()), 10)
	}
	if modseq {
		b = strconv.AppendUint(append(b, " MODSEQ ("...), r.ModSeq(raw), 10)
		b = append(b, ')')
	}
	return append(b, ")\r\n"...)
}

func appendFetch(b []byte, seq int) []byte {
	b = strconv.AppendInt(append(b, "* "...), int64(seq), 10)
	return append(b, " FETCH ("...)
}
