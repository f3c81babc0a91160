package index

import (
	"slices"

	"gocyrus/lib/seqset"
)

// setOf is the set of what is in list, in any order. Sorting first keeps the work
// small whatever a client sends.
func setOf(list []seqset.Range) seqset.Set {
	slices.SortFunc(list, func(a, b seqset.Range) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
	set := make(seqset.Set, 0, len(list))
	for _, r := range list {
		set.AddRange(r.First, r.Last)
	}
	return set
}

// without is set less one number, in place.
func without(set seqset.Set, n uint32) seqset.Set {
	i, ok := slices.BinarySearchFunc(set, n, func(r seqset.Range, n uint32) int {
		switch {
		case r.Last < n:
			return -1
		case r.First > n:
			return 1
		}
		return 0
	})
	if !ok {
		return set
	}
	switch r := set[i]; {
	case r.First == n && r.Last == n:
		return slices.Delete(set, i, i+1)
	case r.First == n:
		set[i].First++
	case r.Last == n:
		set[i].Last--
	default:
		set[i].Last = n - 1
		return slices.Insert(set, i+1, seqset.Range{First: n + 1, Last: r.Last})
	}
	return set
}
