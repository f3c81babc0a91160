package syncclient

import (
	"bytes"
	"maps"
	"slices"

	"gocyrus/lib/csync"
)

// act is what is done about one message of which the two sides have different
// histories. Everything happens here; what results flows to the replica as any
// change does, but for the UIDs that are expunged there.
type act int

const (
	touch    act = iota // rewrite it: the replica has to be told again
	take                // take over flags and annotations of the replica
	expunge             // it was expunged there
	renumber            // give it a new UID: the old one means something else there
	fetch               // append the replica's, under its UID
	fetchNew            // append the replica's, under a new UID
)

// mergeStep is one such act.
type mergeStep struct {
	Act    act
	UID    uint32
	Remote *csync.Record // of take, fetch, fetchNew
}

// mergePlan is how two histories of a mailbox become one.
type mergePlan struct {
	// Before the steps: to what the numbers here are raised, so that all that
	// changes is newer than anything the replica has; 0 is not at all.
	HighestModSeq uint64
	UIDValidity   uint32
	Annotations   bool // those of the mailbox itself are taken from the replica

	Steps  []mergeStep
	Remote []uint32 // UIDs to expunge at the replica, ascending

	LastUID uint32 // after the steps, at least
}

func (p *mergePlan) add(a act, uid uint32, r *csync.Record) {
	p.Steps = append(p.Steps, mergeStep{a, uid, r})
}

// planMerge compares two record lists of one mailbox, both by ascending UID.
// deletedModSeq is the highest modseq that was purged from the index here.
//
// No message is lost: whatever one side has and the other never had is kept, under
// another UID where its own is spoken for.
func planMerge(local, remote *csync.Mailbox, locals, remotes []csync.Record, deletedModSeq uint64) mergePlan {
	p := mergePlan{}
	if remote.HighestModSeq > local.HighestModSeq {
		p.HighestModSeq = remote.HighestModSeq
		p.Annotations = !sameAnnotations(local.Annotations, remote.Annotations)
	}
	if remote.UIDValidity > local.UIDValidity {
		p.UIDValidity = remote.UIDValidity
	}
	p.LastUID = max(local.LastUID, remote.LastUID)
	i, j := 0, 0
	for i < len(locals) || j < len(remotes) {
		switch {
		case j == len(remotes) || i < len(locals) && locals[i].UID < remotes[j].UID:
			p.onlyHere(&locals[i], remote)
			i++
		case i == len(locals) || remotes[j].UID < locals[i].UID:
			p.onlyThere(&remotes[j], local, deletedModSeq)
			j++
		default:
			p.both(&locals[i], &remotes[j])
			i++
			j++
		}
	}
	p.settle()
	return p
}

// settle puts what keeps its UID in front: new UIDs have to lie above all that are
// spoken for on either side.
func (p *mergePlan) settle() {
	slices.SortStableFunc(p.Steps, func(a, b mergeStep) int { return a.Act.turn() - b.Act.turn() })
}

func (a act) turn() int {
	if a == renumber || a == fetchNew {
		return 1
	}
	return 0
}

func (p *mergePlan) both(l, r *csync.Record) {
	lGone, rGone := l.Has(csync.Expunged), r.Has(csync.Expunged)
	switch {
	case lGone && rGone:
	case l.GUID != r.GUID:
		p.twoMessages(l, r, lGone, rGone)
	case sameRecord(l, r):
	case lGone:
		p.add(touch, l.UID, nil)
	case rGone:
		p.add(expunge, l.UID, nil)
	case r.ModSeq > l.ModSeq && r.LastUpdated >= l.LastUpdated:
		p.add(take, l.UID, r)
	default:
		p.add(touch, l.UID, nil)
	}
}

// twoMessages gives both messages of one UID new ones, the one with the lower GUID
// first, as Cyrus does.
func (p *mergePlan) twoMessages(l, r *csync.Record, lGone, rGone bool) {
	here := func() {
		if lGone {
			// The replica has to hear that nothing is left under this UID.
			p.add(touch, l.UID, nil)
		} else {
			p.add(renumber, l.UID, nil)
		}
	}
	there := func() {
		if !rGone {
			p.add(fetchNew, r.UID, r)
			p.Remote = append(p.Remote, r.UID)
		}
	}
	if bytes.Compare(l.GUID[:], r.GUID[:]) < 0 {
		here()
		there()
	} else {
		there()
		here()
	}
}

func (p *mergePlan) onlyHere(l *csync.Record, remote *csync.Mailbox) {
	switch {
	case l.Has(csync.Expunged):
		// The replica needs no record of what it never had, or has purged.
	case l.UID <= remote.LastUID:
		p.add(renumber, l.UID, nil)
	case l.ModSeq <= remote.HighestModSeq:
		p.add(touch, l.UID, nil)
	}
}

func (p *mergePlan) onlyThere(r *csync.Record, local *csync.Mailbox, deletedModSeq uint64) {
	switch {
	case r.Has(csync.Expunged):
	case r.UID > local.LastUID:
		p.add(fetch, r.UID, r)
	case r.ModSeq < deletedModSeq:
		// It was here, was expunged, and the record of that is purged.
		p.Remote = append(p.Remote, r.UID)
	default:
		p.add(fetchNew, r.UID, r)
		p.Remote = append(p.Remote, r.UID)
	}
}

// bodies are the messages that the plan needs from the replica, each once.
func (p *mergePlan) bodies() []*csync.Record {
	need := make(map[[20]byte]*csync.Record)
	for _, s := range p.Steps {
		if s.Act == fetch || s.Act == fetchNew {
			if _, ok := need[s.Remote.GUID]; !ok {
				need[s.Remote.GUID] = s.Remote
			}
		}
	}
	return slices.SortedFunc(maps.Values(need), func(a, b *csync.Record) int { return int(a.UID) - int(b.UID) })
}
