package index

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/seqset"
)

// Vanished are the UIDs of a set that are no longer there and went after a
// modseq (RFC 7162 section 3.2.5.1), ascending. A nil set is every UID. What
// happened before the oldest remembered expunge cannot be told apart: then every
// UID of the set that the mailbox has not is named. known lets such an answer
// leave out the front part that the client has right: numbers and their UIDs in
// step.
//
// Messages that the view still has a number for are not named, though others may
// have expunged them by now: the client hears of those with the next Refresh,
// and would count wrong if it heard twice.
func (s *State) Vanished(ctx context.Context, set imap.UIDSet, since uint64, known Match) (seqset.Set, error) {
	var out seqset.Set
	err := s.View(ctx, func(r *Reader) (err error) {
		h := r.Header()
		want := wanted(set, r.last)
		switch {
		case since >= h.HighestModSeq:
		case since >= h.DeletedModSeq:
			out, err = r.expungedSince(want, since)
			return err
		default:
			out = r.missing(want, r.last, known)
		}
		return nil
	})
	return out, err
}

// Match is the client's own pairing of numbers and UIDs, from QRESYNC's
// seq-match-data.
type Match struct {
	Seqs imap.SeqSet
	UIDs imap.UIDSet
}

// wanted is a set of UIDs as ranges, the star being last. nil means all.
func wanted(set imap.UIDSet, last uint32) seqset.Set {
	if last == 0 {
		return nil
	}
	if set == nil {
		return setOf([]seqset.Range{{First: 1, Last: last}})
	}
	out := make([]seqset.Range, 0, len(set))
	for _, r := range set {
		a, b := uint32(r.Start), uint32(r.Stop)
		if a == 0 {
			a = last
		}
		if b == 0 {
			b = last
		}
		if a > b {
			a, b = b, a
		}
		if a <= last {
			out = append(out, seqset.Range{First: a, Last: min(b, last)})
		}
	}
	return setOf(out)
}

// expungedSince are the UIDs in want whose records say that they went after
// since.
func (r *Reader) expungedSince(want seqset.Set, since uint64) (seqset.Set, error) {
	var uids []seqset.Range
	err := r.v.ChangedSince(since, func(recno int) error {
		raw := r.v.Raw(recno)
		uid := raw.UID()
		if raw.Flags()&indexfile.Expunged == 0 || !want.Contains(uid) {
			return nil
		}
		if _, ok := r.Seq(uid); !ok {
			uids = append(uids, seqset.Range{First: uid, Last: uid})
		}
		return nil
	})
	return setOf(uids), err
}

// missing are the UIDs in want, none above last, that the view does not have.
func (r *Reader) missing(want seqset.Set, last uint32, known Match) seqset.Set {
	next := r.agreed(known) + 1 // the lowest UID not yet decided
	var out seqset.Set
	gap := func(to uint32) {
		for len(want) > 0 && want[0].First <= to {
			if a, b := max(want[0].First, next), min(want[0].Last, to); a <= b {
				out.AddRange(a, b)
			}
			if want[0].Last > to {
				return
			}
			want = want[1:]
		}
	}
	for seq := r.lower(next); seq <= r.Exists(); seq++ {
		uid := r.UID(seq)
		if uid > next {
			gap(uid - 1)
		}
		next = uid + 1
	}
	if next <= last {
		gap(last)
	}
	return out
}

// agreed is the highest UID up to which the client's pairs are as ours.
func (r *Reader) agreed(known Match) uint32 {
	var uid uint32
	seqs, ok1 := numbers(known.Seqs)
	uids, ok2 := numbers(known.UIDs)
	if !ok1 || !ok2 {
		return 0
	}
	for i := 0; i < len(seqs) && i < len(uids); i++ {
		n := int(seqs[i])
		if n < 1 || n > r.Exists() || r.UID(n) != uids[i] {
			break
		}
		uid = uids[i]
	}
	return uid
}

// maxMatch bounds the pairs that are looked at.
const maxMatch = 10000

// numbers are the numbers of a set without a star, at most maxMatch.
func numbers[S ~[]E, E imap.SeqRange | imap.UIDRange](set S) (out []uint32, ok bool) {
	for _, e := range set {
		var a, b uint32
		switch e := any(e).(type) {
		case imap.SeqRange:
			a, b = e.Start, e.Stop
		case imap.UIDRange:
			a, b = uint32(e.Start), uint32(e.Stop)
		}
		if a == 0 || b == 0 {
			return nil, false
		}
		for n := uint64(a); n <= uint64(b) && len(out) < maxMatch; n++ {
			out = append(out, uint32(n))
		}
	}
	return out, true
}

// Since are the messages of the view that changed after a modseq, of the UIDs in
// set; nil is all (QRESYNC's FETCH answers). What has changed since the view was
// made is left to the next Refresh.
func (r *Reader) Since(set imap.UIDSet, since uint64) ([]int, error) {
	want := wanted(set, r.last)
	var out []int
	err := r.v.ChangedSince(since, func(recno int) error {
		raw := r.v.Raw(recno)
		if !raw.Live() || raw.ModSeq() > r.told {
			return nil
		}
		if seq, ok := r.Seq(raw.UID()); ok && want.Contains(raw.UID()) {
			out = append(out, seq)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}
