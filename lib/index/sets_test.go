package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gocyrus/lib/seqset"
)

// TestWithout compares a set with a plain map after each of many changes.
func TestWithout(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var set seqset.Set
	want := map[uint32]bool{}
	for range 5000 {
		n := rng.Uint32N(60) + 1
		if rng.IntN(2) == 0 {
			set.Add(n)
			want[n] = true
		} else {
			set = without(set, n)
			delete(want, n)
		}
		if set.Len() != len(want) {
			t.Fatalf("%d numbers, want %d", set.Len(), len(want))
		}
		for i := range set {
			if set[i].First > set[i].Last || i > 0 && set[i-1].Last+1 >= set[i].First {
				t.Fatalf("ranges touch or stand wrong: %v", set)
			}
		}
		for n := range uint32(62) {
			if set.Contains(n) != want[n] {
				t.Fatalf("Contains(%d) = %v in %v", n, !want[n], set)
			}
		}
	}
}

func TestSetOf(t *testing.T) {
	const top = 1<<32 - 1
	for _, tc := range []struct {
		name     string
		in, want []seqset.Range
	}{
		{"overlap", []seqset.Range{{First: 5, Last: 9}, {First: 1, Last: 6}}, []seqset.Range{{First: 1, Last: 9}}},
		{"touch", []seqset.Range{{First: 4, Last: 4}, {First: 1, Last: 3}}, []seqset.Range{{First: 1, Last: 4}}},
		{"apart", []seqset.Range{{First: 6, Last: 6}, {First: 1, Last: 3}}, []seqset.Range{{First: 1, Last: 3}, {First: 6, Last: 6}}},
		{"largest number", []seqset.Range{{First: top, Last: top}, {First: 1, Last: top}}, []seqset.Range{{First: 1, Last: top}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := setOf(tc.in); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
