package syncclient

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
)

// unlink makes the record of an expunged message one that a repack drops.
func unlink(tx *mailbox.Tx, uid uint32) error {
	recno, _ := tx.Find(uid)
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return err
	}
	r.Flags |= indexfile.Unlinked
	return tx.RewriteQuietly(recno, &r)
}

// TestMergeSites changes a mailbox on both servers while they are apart, at random, and
// brings them together: they are equal, no message is lost, and a second time nothing
// is left to do.
func TestMergeSites(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	p := newPair(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	p.a.create("user.alice")
	p.sync("alice")
	text := 0
	for round := range rounds {
		kept := make(map[string]bool)
		for _, s := range p.a.texts("user.alice") {
			kept[s] = true
		}
		for _, h := range []*host{p.a, p.b} {
			for range rnd.IntN(6) {
				uids := h.uids("user.alice")
				switch k := rnd.IntN(4); {
				case k <= 1 || len(uids) == 0:
					text++
					s := fmt.Sprint("text ", text)
					kept[s] = true
					h.add("user.alice", s)
				case k == 2:
					uid := uids[rnd.IntN(len(uids))]
					delete(kept, h.text("user.alice", uid))
					h.expunge("user.alice", uid)
				default:
					h.flag("user.alice", uids[rnd.IntN(len(uids))], fmt.Sprint("f", rnd.IntN(5)))
				}
			}
		}
		p.sync("alice")
		p.equal("alice")
		have := p.a.texts("user.alice")
		for s := range kept {
			if !slices.Contains(have, s) {
				t.Errorf("round %d: %q is lost", round, s)
			}
		}
		p.said()
		p.sync("alice")
		if items := applied(p.said()); count(items, "CAPABILITIES") != len(items) {
			t.Errorf("round %d: again: %v", round, items)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}
