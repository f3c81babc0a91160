package index

import (
	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/seqset"
)

// Numbers is a set of messages of a view: ranges of sequence numbers, ascending
// and apart, none above Exists.
type Numbers seqset.Set

// Len is how many messages the set names.
func (n Numbers) Len() int { return seqset.Set(n).Len() }

// Contains says whether message seq is in the set.
func (n Numbers) Contains(seq int) bool { return seqset.Set(n).Contains(uint32(seq)) }

// All yields the numbers of the set in ascending order.
func (n Numbers) All(yield func(seq int) bool) {
	for _, r := range n {
		for seq := r.First; seq <= r.Last; seq++ {
			if !yield(int(seq)) {
				return
			}
		}
	}
}

// Resolve finds the messages that a client's set names. Numbers and UIDs that
// the view does not have are left out, as RFC 9051 section 6.4.9 has it for
// UIDs and Cyrus for both. saved is what "$" stands for, in UIDs (RFC 5182).
func (s *State) Resolve(set imap.NumSet, saved seqset.Set) Numbers {
	if imap.IsSearchRes(set) {
		return s.uidNumbers(saved)
	}
	var out []seqset.Range
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			out = s.addSeqs(out, r.Start, r.Stop)
		}
	case imap.UIDSet:
		for _, r := range set {
			out = s.addUIDs(out, uint32(r.Start), uint32(r.Stop))
		}
	}
	return Numbers(setOf(out))
}

// uidNumbers is the set of the messages with these UIDs.
func (s *State) uidNumbers(uids seqset.Set) Numbers {
	var out []seqset.Range
	for _, r := range uids {
		out = s.addUIDs(out, r.First, r.Last)
	}
	return Numbers(setOf(out))
}

// addSeqs appends the numbers from a to b, zero being the last.
func (s *State) addSeqs(out []seqset.Range, a, b uint32) []seqset.Range {
	n := uint32(s.Exists())
	if a == 0 {
		a = n
	}
	if b == 0 {
		b = n
	}
	if a > b {
		a, b = b, a
	}
	if b = min(b, n); a > b || a == 0 {
		return out
	}
	return append(out, seqset.Range{First: a, Last: b})
}

// addUIDs is addSeqs for UIDs: "5:*" names the last message whatever its UID.
func (s *State) addUIDs(out []seqset.Range, a, b uint32) []seqset.Range {
	n := s.Exists()
	if n == 0 {
		return out
	}
	last := s.UID(n)
	if a == 0 {
		a = last
	}
	if b == 0 {
		b = last
	}
	if a > b {
		a, b = b, a
	}
	lo, hi := s.lower(a), n
	if b < last {
		hi = s.lower(b+1) - 1
	}
	if lo > hi {
		return out
	}
	return append(out, seqset.Range{First: uint32(lo), Last: uint32(hi)})
}

// UIDs is the set as ranges of UIDs, ascending. UIDs that the view does not
// have are never inside a range.
func (s *State) UIDs(n Numbers) seqset.Set {
	var out seqset.Set
	for seq := range n.All {
		out.Add(s.UID(seq))
	}
	return out
}
