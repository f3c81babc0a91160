package syncclient

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPlanPart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		changes []change
		lastUID uint32
		modseq  uint64
		size    int
		want    part
	}{
		{"nothing", nil, 5, 9, 2, part{whole: true}},
		{"few", []change{{6, 10}, {7, 11}}, 5, 9, 2, part{whole: true}},
		{"no bound", []change{{6, 10}, {7, 11}, {8, 12}}, 5, 9, 0, part{whole: true}},
		{"many", []change{{6, 10}, {7, 11}, {8, 12}}, 5, 9, 2, part{from: 5, to: 7, modseq: 11}},
		{"old ones do not count", []change{{1, 20}, {6, 10}, {7, 11}}, 5, 9, 2, part{whole: true}},
		{"an old one that changed early", []change{{1, 10}, {6, 11}, {7, 12}, {8, 13}}, 5, 9, 2, part{from: 5, to: 7, modseq: 9}},
		{"the last was there first", []change{{6, 20}, {7, 21}, {8, 10}}, 5, 9, 2, part{from: 5, to: 7, modseq: 9}},
	} {
		if got := planPart(tc.changes, tc.lastUID, tc.modseq, tc.size); got != tc.want {
			t.Errorf("%s: %+v; want %+v", tc.name, got, tc.want)
		}
	}
}

// TestPlanPartAny sends random mailboxes in parts: the replica ends with every record
// and its modseq, and no number of it ever goes down.
func TestPlanPartAny(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 9))
	for round := range 2000 {
		n := rnd.IntN(40)
		here := make([]change, n)
		perm := rnd.Perm(3 * n)
		for i := range here {
			here[i] = change{uint32(i + 1), uint64(perm[i] + 2)}
			if rnd.IntN(2) == 0 {
				here[i].modseq = uint64(3*n + i + 2) // as they came
			}
		}
		// The replica has some of it: all up to a modseq.
		there := make(map[uint32]uint64)
		lastUID, modseq := uint32(0), uint64(1)
		size := 1 + rnd.IntN(6)
		for parts := 0; ; parts++ {
			if parts > n+1 {
				t.Fatalf("round %d: no end: %v", round, here)
			}
			var changes []change
			for _, c := range here {
				if c.modseq > modseq {
					changes = append(changes, c)
				}
			}
			slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.uid, b.uid) })
			p := planPart(changes, lastUID, modseq, size)
			sent := 0
			for _, c := range changes {
				if p.has(c.uid) {
					if m := p.capped(c.modseq); m < there[c.uid] {
						t.Fatalf("round %d: uid %d goes from modseq %d to %d", round, c.uid, there[c.uid], m)
					}
					there[c.uid] = p.capped(c.modseq)
					if c.uid > lastUID {
						sent++
					}
				}
			}
			if sent > size {
				t.Fatalf("round %d: %d new messages in a part of %d", round, sent, size)
			}
			if p.whole {
				break
			}
			if p.to <= lastUID || p.modseq < modseq {
				t.Fatalf("round %d: from %d, %d to %d, %d", round, lastUID, modseq, p.to, p.modseq)
			}
			lastUID, modseq = p.to, p.modseq
		}
		for _, c := range here {
			if there[c.uid] != c.modseq {
				t.Fatalf("round %d: uid %d has modseq %d; want %d", round, c.uid, there[c.uid], c.modseq)
			}
		}
	}
}
