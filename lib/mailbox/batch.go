package mailbox

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sort"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/quota"
)

// A batch is what several updates do to a mailbox under one lock, before it is
// written. An update that fails is undone in the batch.
type batch struct {
	m    *Mailbox
	now  uint32
	base indexfile.Header // as it was
	hdr  indexfile.Header // as it shall be

	changed map[int][]byte // records that were there, by recno
	added   []byte         // new records, in the order of the file
	hf      *headerfile.Header
	flags   *indexfile.FlagCRCs // of hf
	acl     bool                // hf differs in more than flags
	with    func() error        // what has to be done before the file of hf is replaced

	links  []string       // files that were made
	syncs  []func() error // what makes their content durable
	cache  cacheAppend
	annots *annots
	clock  *clock // nil when the mailbox has a clock of its own

	charged map[string]quota.Usage // by quota root
	hard    bool                   // some update is not soft
	exact   uint64                 // highest modseq that was given, 0 is none
	quiet   bool                   // the quota roots keep their modseqs
	xconv   *uint64                // what becomes XConvModSeq; nil is what it was
	begun   bool                   // to write the index

	touched []recent // in the order of modseqs
	gone    []uint32 // records that are not live any more
	news    news
	undo    *undo // of the update that runs
}

// news are the UIDs for the sinks.
type news struct{ appended, expunged, flagged []uint32 }

// undo is what a batch was before the update that runs.
type undo struct {
	hdr     indexfile.Header
	hf      *headerfile.Header
	acl     bool
	added   int
	links   int
	syncs   int
	cache   int64
	annots  int
	exact   uint64
	xconv   *uint64
	touched int
	gone    int
	news    news
	records map[int][]byte // as they were in changed; nil was not there
}

func (u *undo) save(recno int, raw []byte) {
	if u.records == nil {
		u.records = make(map[int][]byte)
	}
	u.records[recno] = raw
}

func newBatch(m *Mailbox) *batch {
	b := &batch{m: m, now: uint32(time.Now().Unix()), base: m.hdr, hdr: m.hdr, annots: m.annots()}
	// A writer that was killed may have replaced cyrus.header and no more.
	b.hdr.HeaderFileCRC = m.hfCRC
	if m.store.opt.Conversations {
		b.clock = newClock(m.store, m.entry.Load())
	}
	return b
}

// run runs one update; false means that it failed and left nothing in b.
func (b *batch) run(r *request) (ok bool) {
	b.undo = &undo{
		hdr: b.hdr, hf: b.hf, acl: b.acl, added: len(b.added), links: len(b.links), syncs: len(b.syncs),
		cache:   b.cache.pos(),
		annots:  len(b.annots.changes),
		exact:   b.exact,
		xconv:   b.xconv,
		touched: len(b.touched), gone: len(b.gone), news: b.news,
	}
	defer func() {
		if p := recover(); p != nil {
			b.rollback()
			ok = false
			b.m.caught(r, p)
		}
	}()
	tx := &Tx{View: View{m: b.m}, b: b}
	tx.View.tx = tx
	if r.err = r.fn(tx); r.err != nil {
		b.rollback()
		return false
	}
	b.hard = b.hard || !tx.soft
	return true
}

// caught gives a request what it panicked with, nil for nothing.
func (m *Mailbox) caught(r *request, p any) {
	if p == nil {
		return
	}
	if f, is := p.(interface{ Addr() uintptr }); is && m.maps(f.Addr()) {
		r.err = fmt.Errorf("%s: fault in a mapped file: %w", m.Name(), ErrCorrupt)
		return
	}
	r.err = errPanic
	r.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
}

// errPanic is the error of an update that panicked; its caller panics too.
var errPanic = errors.New("update panicked")

func (b *batch) rollback() {
	u := b.undo
	for recno, old := range u.records {
		switch n := int(b.base.NumRecords); {
		case recno > n:
			copy(b.added[(recno-n-1)*int(b.base.RecordSize):], old)
		case old == nil:
			delete(b.changed, recno)
		default:
			b.changed[recno] = old
		}
	}
	for _, f := range b.links[u.links:] {
		// It is beyond the last UID: whoever appends next overwrites it.
		_ = os.Remove(f)
	}
	b.cache.back(u.cache)
	b.annots.back(u.annots)
	b.hdr, b.hf, b.acl, b.exact, b.xconv = u.hdr, u.hf, u.acl, u.exact, u.xconv
	b.added, b.links, b.syncs = b.added[:u.added], b.links[:u.links], b.syncs[:u.syncs]
	b.touched, b.gone, b.news = b.touched[:u.touched], b.gone[:u.gone], u.news
}

func (b *batch) rawAt(recno int) indexfile.Raw {
	if n := int(b.base.NumRecords); recno > n {
		size := int(b.base.RecordSize)
		raw, err := indexfile.RawOf(b.added[(recno-n-1)*size:], b.base.Version)
		if err != nil {
			panic(err)
		}
		return raw
	}
	if c, ok := b.changed[recno]; ok {
		raw, err := indexfile.RawOf(c, b.base.Version)
		if err != nil {
			panic(err)
		}
		return raw
	}
	return b.m.table.Raw(recno)
}

func (b *batch) find(uid uint32) (recno int, ok bool) {
	if uid <= b.base.LastUID || b.hdr.NumRecords == b.base.NumRecords {
		return b.m.table.Find(uid)
	}
	first := int(b.base.NumRecords) + 1
	added := int(b.hdr.NumRecords) - first + 1
	i := sort.Search(added, func(i int) bool { return b.rawAt(first+i).UID() >= uid })
	return first + i, i < added && b.rawAt(first+i).UID() == uid
}

// tick is the modseq of the next change.
func (b *batch) tick() (uint64, error) {
	next := b.hdr.HighestModSeq
	if b.clock != nil {
		if err := b.clock.read(); err != nil {
			return 0, err
		}
		next = max(next, b.clock.highest)
		b.clock.highest = next + 1
		b.clock.used = true
	}
	b.hdr.HighestModSeq = next + 1
	return next + 1, nil
}

// put stores rec as record recno, the next one or one that is there, and counts
// it in place of old, which is nil for a new one.
func (b *batch) put(recno int, old, rec *indexfile.Record) error {
	raw, err := rec.AppendTo(nil, b.base.Version)
	if err != nil {
		return err
	}
	if old != nil {
		b.hdr.Count(old, false)
		b.hdr.SyncCRC ^= b.crcs().Basic(old)
	}
	b.hdr.Count(rec, true)
	b.hdr.SyncCRC ^= b.crcs().Basic(rec)
	if old == nil || !indexfile.SameVirtual(old, rec) {
		if old != nil {
			b.hdr.SyncCRCAnnot ^= indexfile.Virtual(old, b.base.Version)
		}
		b.hdr.SyncCRCAnnot ^= indexfile.Virtual(rec, b.base.Version)
	}
	b.store(recno, raw)
	return nil
}

func (b *batch) store(recno int, raw []byte) {
	n := int(b.base.NumRecords)
	if recno > n {
		at := (recno - n - 1) * len(raw)
		if at == len(b.added) {
			b.added = append(b.added, raw...)
			return
		}
		if _, saved := b.undo.records[recno]; !saved && at < b.undo.added {
			// Of an earlier update of the batch.
			b.undo.save(recno, slices.Clone(b.added[at:at+len(raw)]))
		}
		copy(b.added[at:], raw)
		return
	}
	if b.changed == nil {
		b.changed = make(map[int][]byte)
	}
	if _, saved := b.undo.records[recno]; !saved {
		b.undo.save(recno, b.changed[recno])
	}
	b.changed[recno] = raw
}

// crcs are the flag CRCs, new flags included.
func (b *batch) crcs() *indexfile.FlagCRCs {
	if b.flags != nil {
		return b.flags
	}
	return &b.m.crcs
}

// recnos are the changed records in ascending order.
func (b *batch) recnos() []int {
	rs := make([]int, 0, len(b.changed))
	for r := range b.changed {
		rs = append(rs, r)
	}
	slices.Sort(rs)
	return rs
}
