package mailbox

import (
	"slices"

	"gocyrus/lib/indexfile"
)

// A UIDIndex is the live messages of a mailbox at one moment: from sequence
// number to UID and record. It never changes; thousands of sessions share one.
type UIDIndex struct {
	uids   []uint32
	recnos []uint32

	generation uint32
	numRecords int
	modseq     uint64
	lastUID    uint32
	exists     uint32 // as the header had it; of a damaged mailbox not Len
}

// Len is the number of messages.
func (x *UIDIndex) Len() int { return len(x.uids) }

// UID is the UID of a sequence number, from 1 to Len.
func (x *UIDIndex) UID(seq int) uint32 { return x.uids[seq-1] }

// Recno is the record of a sequence number, good within Generation.
func (x *UIDIndex) Recno(seq int) int { return int(x.recnos[seq-1]) }

// UIDs are all UIDs, ascending. The slice must not be changed.
func (x *UIDIndex) UIDs() []uint32 { return x.uids }

// Recnos are all record numbers, ascending. The slice must not be changed.
func (x *UIDIndex) Recnos() []uint32 { return x.recnos }

// Seq is the sequence number of a UID; without one, seq is that of the next
// larger UID, or Len+1.
func (x *UIDIndex) Seq(uid uint32) (seq int, ok bool) {
	i, ok := slices.BinarySearch(x.uids, uid)
	return i + 1, ok
}

// Generation says which record numbers these are.
func (x *UIDIndex) Generation() uint32 { return x.generation }

// HighestModSeq is the mailbox's at that moment.
func (x *UIDIndex) HighestModSeq() uint64 { return x.modseq }

// NumRecords is the number of records, live or not.
func (x *UIDIndex) NumRecords() int { return x.numRecords }

// LastUID is UIDNEXT - 1 at that moment.
func (x *UIDIndex) LastUID() uint32 { return x.lastUID }

// Appended says whether x is old plus new messages, with nothing expunged. It
// costs nothing when x grew out of old in this process.
func (x *UIDIndex) Appended(old *UIDIndex) bool {
	if len(x.uids) < len(old.uids) {
		return false
	}
	if len(old.uids) == 0 || &x.uids[0] == &old.uids[0] {
		return true
	}
	return slices.Equal(x.uids[:len(old.uids)], old.uids)
}

// Gone are the sequence numbers in old, ascending, of messages that x does not
// have.
func (x *UIDIndex) Gone(old *UIDIndex) []int {
	if x.Appended(old) {
		return nil
	}
	var gone []int
	j := 0
	for i, uid := range old.uids {
		for j < len(x.uids) && x.uids[j] < uid {
			j++
		}
		if j == len(x.uids) || x.uids[j] != uid {
			gone = append(gone, i+1)
		}
	}
	return gone
}

func (x *UIDIndex) stamp(h *indexfile.Header) {
	x.generation, x.numRecords = h.Generation, int(h.NumRecords)
	x.modseq, x.lastUID, x.exists = h.HighestModSeq, h.LastUID, h.Exists
}

func (x *UIDIndex) isOf(h *indexfile.Header) bool {
	return x.generation == h.Generation && x.numRecords == int(h.NumRecords) &&
		x.modseq == h.HighestModSeq && x.exists == h.Exists
}

// scanIndex builds a snapshot from all records. modseq is the highest of them.
func scanIndex(h *indexfile.Header, t indexfile.Table) (x *UIDIndex, modseq uint64) {
	// Room to grow: an append then needs no copy.
	n := min(int(h.Exists), t.Len())
	n += n/8 + 64
	x = &UIDIndex{uids: make([]uint32, 0, n), recnos: make([]uint32, 0, n)}
	modseq = x.add(t, 1)
	x.stamp(h)
	return x, modseq
}

// add takes in the live ones from record recno on, and returns the highest
// modseq of all of them.
func (x *UIDIndex) add(t indexfile.Table, recno int) (modseq uint64) {
	last := uint32(0)
	if len(x.uids) > 0 {
		last = x.uids[len(x.uids)-1]
	}
	for ; recno <= t.Len(); recno++ {
		r := t.Raw(recno)
		uid := r.UID()
		modseq = max(modseq, r.ModSeq())
		// Out of order is damage; a search would not find it.
		if uid <= last || r.Flags()&indexfile.Expunged != 0 {
			continue
		}
		last = uid
		x.uids = append(x.uids, uid)
		x.recnos = append(x.recnos, uint32(recno))
	}
	return modseq
}

// grown is x with the records that follow it, if nothing was expunged
// meanwhile: then the number of live messages fits. Snapshots that grow out of
// one another share memory: each sees only its own length of it, and only the
// latest grows (append to an older one would overwrite what the latest sees, so
// callers hold snapMu and keep the latest only).
func (x *UIDIndex) grown(h *indexfile.Header, t indexfile.Table) (*UIDIndex, bool) {
	if x.generation != h.Generation || x.numRecords > t.Len() {
		return nil, false
	}
	n := *x
	n.add(t, x.numRecords+1)
	if len(n.uids)-len(x.uids) != int(h.Exists)-int(x.exists) {
		return nil, false
	}
	n.stamp(h)
	return &n, true
}

// without is x without some records, in memory of its own. Those that x does not
// have came and went after it.
func (x *UIDIndex) without(recnos []uint32) *UIDIndex {
	gone := slices.Clone(recnos)
	slices.Sort(gone)
	n := *x
	size := len(x.uids) + len(x.uids)/8 + 64
	n.uids, n.recnos = make([]uint32, 0, size), make([]uint32, 0, size)
	from := 0
	for _, recno := range gone {
		i, ok := slices.BinarySearch(x.recnos[from:], recno)
		if !ok {
			continue
		}
		i += from
		n.exists--
		n.uids = append(n.uids, x.uids[from:i]...)
		n.recnos = append(n.recnos, x.recnos[from:i]...)
		from = i + 1
	}
	n.uids = append(n.uids, x.uids[from:]...)
	n.recnos = append(n.recnos, x.recnos[from:]...)
	return &n
}
