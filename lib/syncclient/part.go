package syncclient

import "gocyrus/lib/csync"

// A mailbox with very many new messages goes over in parts: the replica stores each as if
// the mailbox had been so once, so that a connection that breaks does not cost what came
// before, and neither side holds a million records in memory.
//
// A part has the new messages up to a UID. Of the mailbox it says the modseq that is next
// below that of all that is still to come, so that the replica, asked later, says from
// where to go on; messages of the part that changed after that are told of with this
// modseq, and once more at the end with their own.

// change is one record that the replica does not have as it is here.
type change struct {
	uid    uint32
	modseq uint64
}

// part is what to send next.
type part struct {
	whole    bool   // all of it
	from, to uint32 // UIDs above from, up to to
	modseq   uint64
}

// planPart plans what to send to a replica that has lastUID and modseq; changes are all
// records with a larger modseq, by ascending UID. A part has size new messages.
func planPart(changes []change, lastUID uint32, modseq uint64, size int) part {
	first := 0
	for first < len(changes) && changes[first].uid <= lastUID {
		first++
	}
	if size <= 0 || len(changes)-first <= size {
		return part{whole: true}
	}
	p := part{from: lastUID, to: changes[first+size-1].uid}
	next := uint64(0)
	for i, c := range changes {
		if i >= first && i < first+size {
			continue
		}
		if next == 0 || c.modseq < next {
			next = c.modseq
		}
	}
	p.modseq = max(next-1, modseq)
	return p
}

// has says whether a record goes with the part.
func (p *part) has(uid uint32) bool { return p.whole || uid > p.from && uid <= p.to }

// apply makes the state of a mailbox that of the part. Sums are not known of it.
func (p *part) apply(m *csync.Mailbox) {
	if p.whole {
		return
	}
	m.LastUID, m.HighestModSeq = p.to, p.modseq
	m.RecentUID = min(m.RecentUID, p.to)
	m.SyncCRC, m.SyncCRCAnnot, m.NoCRCAnnot = 0, 0, true
}

// capped is the modseq with which the part tells of a record.
func (p *part) capped(modseq uint64) uint64 {
	if p.whole {
		return modseq
	}
	return min(modseq, p.modseq)
}
