// Package seqset keeps sets of message numbers and UIDs, in the text form that
// seen files, the sync protocol and IMAP share: ascending ranges without
// overlap, "1:3,7,9:12".
package seqset

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// ErrFormat is the error of a text that is not a set.
var ErrFormat = errors.New("invalid sequence set")

// Range is the numbers from First to Last, both included.
type Range struct{ First, Last uint32 }

// Set is ranges that ascend, do not overlap and do not touch. The zero Set is
// empty.
type Set []Range

// Parse reads a set. Ranges may come in any order and overlap; zero and "*" are
// not numbers here.
func Parse(s string) (Set, error) {
	if s == "" {
		return nil, nil
	}
	var set Set
	ordered := true
	for part := range strings.SplitSeq(s, ",") {
		a, b, ranged := strings.Cut(part, ":")
		first, err := number(a)
		if err != nil {
			return nil, err
		}
		last := first
		if ranged {
			if last, err = number(b); err != nil {
				return nil, err
			}
		}
		r := Range{min(first, last), max(first, last)}
		if n := len(set); n > 0 && uint64(r.First) <= uint64(set[n-1].Last)+1 {
			ordered = false
		}
		set = append(set, r)
	}
	if !ordered {
		set = join(set)
	}
	return set, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '+' {
		return 0, ErrFormat
	}
	return uint32(n), nil
}

// join sorts ranges and makes one of those that overlap or touch.
func join(set Set) Set {
	slices.SortFunc(set, func(a, b Range) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	out := set[:0]
	for _, r := range set {
		if n := len(out); n > 0 && uint64(r.First) <= uint64(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// String is the set as text.
func (s Set) String() string { return string(s.Append(nil)) }

// Append appends the set as text.
func (s Set) Append(b []byte) []byte {
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.First), 10)
		if r.Last != r.First {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(r.Last), 10)
		}
	}
	return b
}

// Contains reports whether n is in the set.
func (s Set) Contains(n uint32) bool {
	i, found := slices.BinarySearchFunc(s, n, func(r Range, n uint32) int {
		switch {
		case r.Last < n:
			return -1
		case r.First > n:
			return 1
		}
		return 0
	})
	return found && i < len(s)
}

// Add puts n into the set; numbers that come in ascending order cost least.
func (s *Set) Add(n uint32) { s.AddRange(n, n) }

// AddRange puts first to last into the set.
func (s *Set) AddRange(first, last uint32) {
	old := *s
	if n := len(old); n == 0 || uint64(first) > uint64(old[n-1].Last)+1 {
		*s = append(old, Range{first, last})
		return
	}
	// From i to j are the ranges that the new one swallows.
	i, _ := slices.BinarySearchFunc(old, first, func(r Range, n uint32) int {
		if uint64(r.Last)+1 < uint64(n) {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(old) && uint64(old[j].First) <= uint64(last)+1; j++ {
		first, last = min(first, old[j].First), max(last, old[j].Last)
	}
	*s = slices.Replace(old, i, j, Range{first, last})
}

// Len is how many numbers the set holds.
func (s Set) Len() int {
	n := 0
	for _, r := range s {
		n += int(r.Last-r.First) + 1
	}
	return n
}

// All yields the numbers in ascending order.
func (s Set) All(yield func(uint32) bool) {
	for _, r := range s {
		for n := r.First; ; n++ {
			if !yield(n) {
				return
			}
			if n == r.Last {
				break
			}
		}
	}
}
