package search

import (
	"slices"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/charset"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
)

// op is what a node asks of a message.
type op uint8

const (
	opAll op = iota
	opNone
	opAnd
	opOr
	opNot
	opNumbers  // the number is in nums
	opSystem   // all of mask are set in the record
	opSeen     // the user has seen it
	opRecent   // it is \Recent
	opKeyword  // slot is set
	opSize     // lo <= size < hi
	opInternal // lo <= internal date < hi; likewise the next ones
	opSent
	opSaved
	opModSeq
	opGUID // guid begins with bytes
	opCID  // conversation id is lo
	opAnnot
	opItem // an item of the cache holds the text
	opHeader
	opBody
	opText
)

// Costs order questions: what the record, the cache and the file can answer.
const (
	costRecord = iota
	costSeen
	costCache
	costHeader // or a database of the mailbox
	costFile
)

// node is one question, or several put together.
type node struct {
	op   op
	cost int
	sub  []node

	nums   index.Numbers
	mask   indexfile.Flags
	slot   int
	lo, hi uint64
	bytes  []byte
	item   cachefile.Item
	field  string // of opHeader
	cached int    // cache version that holds field; -1 is none
	text   *charset.Pattern
	annot  *annotation

	skipHTML bool
}

var opCost = map[op]int{
	opSeen: costSeen, opRecent: costSeen, opItem: costCache, opHeader: costHeader, opAnnot: costHeader, opBody: costFile, opText: costFile,
}

// arrange puts cheap questions before dear ones, and drops what has no effect.
func (n *node) arrange() {
	n.cost = opCost[n.op]
	if n.op == opHeader && n.cached >= 0 {
		n.cost = costCache
	}
	for i := range n.sub {
		n.sub[i].arrange()
		n.cost = max(n.cost, n.sub[i].cost)
	}
	if n.op == opAnd || n.op == opOr {
		slices.SortStableFunc(n.sub, func(a, b node) int { return a.cost - b.cost })
	}
	switch {
	case n.op == opAnd && len(n.sub) == 0:
		n.op = opAll
	case (n.op == opAnd || n.op == opOr) && len(n.sub) == 1:
		*n = n.sub[0]
	case n.op == opNot && n.sub[0].op == opAll:
		*n = node{op: opNone}
	case n.op == opNot && n.sub[0].op == opNone:
		*n = node{op: opAll}
	}
}

// match asks m. A question that cannot be answered sets m.err.
func (n *node) match(m *matcher) bool {
	switch n.op {
	case opAll:
		return true
	case opAnd:
		for i := range n.sub {
			if !n.sub[i].match(m) {
				return false
			}
		}
		return true
	case opOr:
		for i := range n.sub {
			if n.sub[i].match(m) {
				return true
			}
		}
		return false
	case opNot:
		return !n.sub[0].match(m)
	case opNumbers:
		return n.nums.Contains(m.seq)
	case opSystem:
		return m.raw.Flags()&n.mask == n.mask
	case opSeen:
		return m.r.Flags(m.raw).System&indexfile.Seen != 0
	case opRecent:
		return m.r.Flags(m.raw).Recent
	case opKeyword:
		return m.raw.HasUserFlag(n.slot)
	}
	return n.matchValue(m)
}

// matchValue asks for numbers, ids and texts.
func (n *node) matchValue(m *matcher) bool {
	in := func(v uint64) bool { return n.lo <= v && v < n.hi }
	switch n.op {
	case opSize:
		return in(uint64(m.raw.Size()))
	case opInternal:
		return in(uint64(m.raw.InternalDate()))
	case opSent:
		// A message without a date has local midnight of its arrival here:
		// half a day on, both are within the day meant.
		return in(uint64(m.raw.SentDate()) + halfDay)
	case opSaved:
		return in(m.saved())
	case opModSeq:
		return in(m.raw.ModSeq())
	case opGUID:
		guid := m.raw.GUID()
		return string(guid[:len(n.bytes)]) == string(n.bytes)
	case opCID:
		return m.raw.CID() == n.lo
	case opAnnot:
		return n.annot.match(m)
	case opItem:
		return m.item(n)
	case opHeader:
		return m.header(n)
	case opBody:
		return m.body(n)
	case opText:
		return m.wholeHeader(n) || m.body(n)
	}
	return false
}

const halfDay = 12 * 60 * 60
