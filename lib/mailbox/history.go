package mailbox

import (
	"cmp"
	"slices"
	"sort"

	"gocyrus/lib/indexfile"
)

// history remembers the latest changes of records, so that a session that asks
// what happened since its last look is not answered by a walk over the mailbox.
// It is guarded by snapMu.
type history struct {
	known      bool // the fields below describe the mailbox
	generation uint32
	numRecords int
	modseq     uint64 // up to which the history goes
	floor      uint64 // beyond which it is complete
	changes    []recent

	// unseenFrom: no record before it is live and unseen.
	unseenFrom int
}

// recent is a change of one record.
type recent struct {
	modseq uint64
	recno  uint32
}

func (a recent) compare(b recent) int {
	return cmp.Or(cmp.Compare(a.modseq, b.modseq), cmp.Compare(a.recno, b.recno))
}

// maxHistory bounds the memory of a mailbox: 16 octets a change.
const maxHistory = 4096

// snapshot is the UIDIndex of now, advanced from the last one if that can be.
func (m *Mailbox) snapshot() *UIDIndex {
	m.snapMu.Lock()
	defer m.snapMu.Unlock()
	m.advance()
	return m.snap
}

// advance brings snapshot and history up to date with the header, when other
// processes have changed the mailbox.
func (m *Mailbox) advance() {
	h, t := &m.hdr, m.table
	m.hist.advance(h, t)
	switch {
	case m.snap == nil:
		m.scan()
	case m.snap.isOf(h):
	default:
		s := m.snap
		if len(m.gone) > 0 {
			s = s.without(m.gone)
		}
		n, ok := s.grown(h, t)
		if !ok {
			m.scan()
			return
		}
		m.snap, m.gone = n, nil
	}
}

// scan makes the snapshot anew. It sees all records, and so what a loss of power
// can leave: changed records on disk, and the header from before. The next who
// has the mailbox alone counts anew then.
func (m *Mailbox) scan() {
	var modseq uint64
	m.gone = nil
	m.snap, modseq = scanIndex(&m.hdr, m.table)
	if indexfile.Writable(m.hdr.Version) && (modseq > m.hdr.HighestModSeq || len(m.snap.uids) != int(m.hdr.Exists)) {
		m.suspect.Store(true)
	}
}

func (hs *history) advance(h *indexfile.Header, t indexfile.Table) {
	switch {
	case !hs.known || hs.generation != h.Generation || hs.numRecords > t.Len():
		*hs = history{known: true, generation: h.Generation, floor: h.HighestModSeq, unseenFrom: 1}
	case hs.modseq != h.HighestModSeq:
		hs.learn(h, t)
	}
	hs.numRecords, hs.modseq = t.Len(), h.HighestModSeq
}

// learn takes in the changes of another process. When the clock went on by the
// number of new records and each of them has its own tick, nothing else changed.
func (hs *history) learn(h *indexfile.Header, t indexfile.Table) {
	from := 1
	if added := t.Len() - hs.numRecords; h.HighestModSeq-hs.modseq == uint64(added) && hs.ticks(t) {
		from = hs.numRecords + 1
	}
	var found []recent
	for recno := from; recno <= t.Len(); recno++ {
		if ms := t.Raw(recno).ModSeq(); ms > hs.modseq {
			found = append(found, recent{ms, uint32(recno)})
		}
	}
	slices.SortFunc(found, recent.compare)
	for _, c := range found {
		hs.push(c, t.Raw(int(c.recno)))
	}
}

func (hs *history) ticks(t indexfile.Table) bool {
	ms := hs.modseq
	for recno := hs.numRecords + 1; recno <= t.Len(); recno++ {
		if ms++; t.Raw(recno).ModSeq() != ms {
			return false
		}
	}
	return true
}

// push takes in one change, in the order of modseqs.
func (hs *history) push(c recent, r indexfile.Raw) {
	if len(hs.changes) >= maxHistory {
		half := len(hs.changes) / 2
		hs.floor = hs.changes[half-1].modseq
		hs.changes = slices.Clone(hs.changes[half:])
	}
	hs.changes = append(hs.changes, c)
	if int(c.recno) < hs.unseenFrom && r.Live() && r.Flags()&indexfile.Seen == 0 {
		hs.unseenFrom = int(c.recno)
	}
}

// recent are the remembered changes beyond modseq, false when some of those are
// not remembered. The slice is never changed afterwards.
func (m *Mailbox) recent(modseq uint64) ([]recent, bool) {
	m.snapMu.Lock()
	defer m.snapMu.Unlock()
	m.hist.advance(&m.hdr, m.table)
	if modseq < m.hist.floor {
		return nil, false
	}
	c := m.hist.changes
	i := sort.Search(len(c), func(i int) bool { return c[i].modseq > modseq })
	return c[i:len(c):len(c)], true
}

// marked are the records among the latest changes that are live and have
// \Deleted, in order.
func (m *Mailbox) marked() (recnos []int) {
	m.snapMu.Lock()
	defer m.snapMu.Unlock()
	m.hist.advance(&m.hdr, m.table)
	for _, c := range m.hist.changes {
		r := m.table.Raw(int(c.recno))
		if r.ModSeq() == c.modseq && r.Live() && r.Flags()&indexfile.Deleted != 0 {
			recnos = append(recnos, int(c.recno))
		}
	}
	slices.Sort(recnos)
	return slices.Compact(recnos)
}

func (m *Mailbox) firstUnseen() int {
	m.snapMu.Lock()
	defer m.snapMu.Unlock()
	m.hist.advance(&m.hdr, m.table)
	if m.hdr.Version >= 14 && m.hdr.Unseen == 0 {
		return 0
	}
	recno := m.hist.unseenFrom
	for ; recno <= m.table.Len(); recno++ {
		if r := m.table.Raw(recno); r.Live() && r.Flags()&indexfile.Seen == 0 {
			m.hist.unseenFrom = recno
			return recno
		}
	}
	m.hist.unseenFrom = recno
	return 0
}

// committed brings snapshot and history up to date with a change of this
// process, which knows what it did.
func (m *Mailbox) committed(b *batch) {
	m.snapMu.Lock()
	defer m.snapMu.Unlock()
	if m.hist.known && m.hist.generation == b.base.Generation && m.hist.modseq == b.base.HighestModSeq {
		if b.exact > 0 {
			slices.SortFunc(b.touched, recent.compare)
			b.touched = slices.Compact(b.touched)
			if b.touched[0].modseq <= b.base.HighestModSeq {
				// Before what is remembered: that begins anew.
				m.hist = history{}
			}
		}
	}
	if m.hist.known && m.hist.generation == b.base.Generation && m.hist.modseq == b.base.HighestModSeq {
		for _, c := range b.touched {
			m.hist.push(c, m.table.Raw(int(c.recno)))
		}
		m.hist.numRecords, m.hist.modseq = m.table.Len(), m.hdr.HighestModSeq
	}
	// The snapshot follows when somebody asks for it: a thousand expunges
	// between two looks cost one copy.
	if m.snap != nil {
		m.gone = append(m.gone, b.gone...)
	}
}
