package syncserver

import (
	"container/list"
	"encoding/binary"
	"sync"

	"gocyrus/lib/guid"
	"gocyrus/lib/mailbox"
)

// A guidTable finds records of one mailbox by GUID. It holds record numbers only,
// eight octets a message at most, and asks the index what they are; it grows with
// the mailbox and is made anew when the mailbox was repacked.
type guidTable struct {
	generation uint32
	n          int      // records that are in it
	slots      []uint32 // record numbers, 0 is free; a power of two
}

const minSlots = 64

func hashOf(g guid.GUID) uint32 { return binary.LittleEndian.Uint32(g[:4]) } // SHA-1 is one already

// update takes up what the mailbox has and t has not.
func (t *guidTable) update(v *mailbox.View) {
	if t.generation != v.Generation() || t.n > v.NumRecords() {
		*t = guidTable{generation: v.Generation()}
	}
	if v.NumRecords()*2 > len(t.slots) {
		t.grow(v)
	}
	for t.n < v.NumRecords() {
		t.n++
		t.put(v, t.n)
	}
}

func (t *guidTable) grow(v *mailbox.View) {
	size := max(len(t.slots), minSlots)
	for size < v.NumRecords()*2 {
		size *= 2
	}
	t.slots = make([]uint32, size)
	for recno := 1; recno <= t.n; recno++ {
		t.put(v, recno)
	}
}

func (t *guidTable) put(v *mailbox.View, recno int) {
	mask := uint32(len(t.slots) - 1)
	i := hashOf(v.Raw(recno).GUID()) & mask
	// A thousand copies of one message would make a chain of a thousand: a few
	// of them are as good as all.
	for chain := 0; t.slots[i] != 0; i = (i + 1) & mask {
		if v.Raw(int(t.slots[i])).GUID() == v.Raw(recno).GUID() {
			if chain++; chain == maxCopies {
				return
			}
		}
	}
	t.slots[i] = uint32(recno)
}

// maxCopies is how many messages of one content are known of a mailbox.
const maxCopies = 4

// find calls fn with the records that have the GUID, until fn returns true.
func (t *guidTable) find(v *mailbox.View, g guid.GUID, fn func(recno int) bool) {
	if len(t.slots) == 0 {
		return
	}
	mask := uint32(len(t.slots) - 1)
	for i := hashOf(g) & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if recno := int(t.slots[i]); guid.GUID(v.Raw(recno).GUID()) == g && fn(recno) {
			return
		}
	}
}

// maxTables bounds the tables that are kept, in messages.
const maxTables = 4 << 20

// tables are those of the mailboxes that were asked lately, shared by the
// sessions.
type tables struct {
	mu    sync.Mutex
	byID  map[string]*list.Element
	order *list.List // of *tableEntry, latest first
	total int
}

type tableEntry struct {
	id    string
	mu    sync.Mutex // of table
	table guidTable
	size  int // as total has it
}

func newTables() *tables { return &tables{byID: map[string]*list.Element{}, order: list.New()} }

// with gives fn the table of a mailbox as it is in v.
func (ts *tables) with(v *mailbox.View, fn func(t *guidTable)) {
	ts.mu.Lock()
	el := ts.byID[v.Mailbox().UniqueID()]
	if el == nil {
		el = ts.order.PushFront(&tableEntry{id: v.Mailbox().UniqueID()})
		ts.byID[v.Mailbox().UniqueID()] = el
	} else {
		ts.order.MoveToFront(el)
	}
	ts.mu.Unlock()
	e := el.Value.(*tableEntry)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.table.update(v)
	fn(&e.table)
	ts.account(e, el)
}

// account takes note of how large a table is now, and drops the oldest ones when
// all are too large.
func (ts *tables) account(e *tableEntry, el *list.Element) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID[e.id] != el {
		return // dropped meanwhile
	}
	ts.total += e.table.n - e.size
	e.size = e.table.n
	for ts.total > maxTables && ts.order.Len() > 1 {
		last := ts.order.Back()
		old := last.Value.(*tableEntry)
		ts.order.Remove(last)
		delete(ts.byID, old.id)
		ts.total -= old.size
	}
}
