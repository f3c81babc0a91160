package twoskip

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mappedfile"
)

// recover mends a file whose last transaction did not end. The caller holds
// the exclusive lock. replaced is true when the name leads to a new file.
func (t *file) recover() (replaced bool, err error) {
	if t.clean() {
		return false, nil
	}
	length := uint64(len(t.m.Bytes()))
	if length < t.h.size {
		// A file that lost its end gets zeros there, as with Cyrus. Padding
		// that was lost is mended by that, before anything else is tried.
		if err := errors.Join(t.f.Truncate(int64(t.h.size)), t.m.Refresh()); err != nil {
			return false, err
		}
	}
	err = t.relink(length)
	if !errors.Is(err, kv.ErrCorrupt) {
		return false, err
	}
	return true, t.replay()
}

// relink undoes a transaction: it walks the lowest level by committed pointers,
// and sets every pointer of a higher one anew. What lies beyond the first
// length octets is compared with its checksum.
func (t *file) relink(length uint64) error {
	if err := t.begin(); err != nil {
		return err
	}
	t.end = t.h.size
	var prev [maxLevel + 1]record // on each level; slots, so from 2
	var r record
	if err := t.read(dummyOffset, &r); err != nil {
		return err
	}
	for i := range prev {
		prev[i] = r
	}
	last, records := r, uint64(0)
	for {
		next := t.get(&last, 0)
		if next >= t.end {
			next = 0
		}
		if err := t.settle(&last); err != nil {
			return err
		}
		ok, err := t.live(next, &r)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if last.off != dummyOffset && bytes.Compare(r.key, last.key) <= 0 {
			return fmt.Errorf("%s: %w: out of order at %d", t.f.Name(), kv.ErrCorrupt, r.off)
		}
		if r.end() > length {
			if err := r.checkTail(t.m.Bytes()); err != nil {
				return err
			}
		}
		for i := 2; i <= r.level; i++ {
			if err := t.point(&prev[i], i, r.off); err != nil {
				return err
			}
			prev[i] = r
		}
		last = r
		records++
	}
	for i := 2; i <= maxLevel; i++ {
		if err := t.point(&prev[i], i, 0); err != nil {
			return err
		}
	}
	if err := errors.Join(t.f.Truncate(int64(t.h.size)), t.m.Refresh(), t.f.Sync()); err != nil {
		return err
	}
	t.h.flags &^= flagDirty
	t.h.records = records
	return t.writeHeader()
}

// settle takes uncommitted pointers out of a record's lowest level.
func (t *file) settle(r *record) error {
	if r.next[0] < t.end && (r.level == 0 || r.next[1] < t.end) {
		return nil
	}
	for i := range min(r.level+1, 2) {
		if r.next[i] >= t.end {
			r.next[i] = 0
		}
	}
	return t.rewriteFresh(r, 0, 1)
}

// point sets slot i of a record to off.
func (t *file) point(r *record, i int, off uint64) error {
	if r.next[i] == off {
		return nil
	}
	r.next[i] = off
	return t.rewriteFresh(r, i, i)
}

// rewriteFresh writes the slots from lo to hi of r into the record as it is
// now: copies of one record, held for different levels, must not undo each
// other.
func (t *file) rewriteFresh(r *record, lo, hi int) error {
	var now record
	if err := t.read(r.off, &now); err != nil {
		return err
	}
	for i := lo; i <= hi && i <= now.level; i++ {
		now.next[i] = r.next[i]
	}
	return t.rewrite(&now)
}

// replay writes a new file of what every transaction did that came to its end,
// read from the start without trust in pointers.
func (t *file) replay() error {
	tmp, err := createFile(t.f.Name()+".NEW", t.h.generation+1)
	if err != nil {
		return err
	}
	err = errors.Join(replayInto(tmp, t.m.Bytes()), tmp.close())
	if err != nil {
		return errors.Join(err, os.Remove(tmp.f.Name()))
	}
	return mappedfile.Rename(tmp.f.Name(), t.f.Name())
}

// replayInto applies to tmp the transactions in b that are whole.
func replayInto(tmp *file, b []byte) error {
	var open []uint64             // records of the transaction being read
	damaged, lost := false, false // this one is; one before was
	var r record
	for off := uint64(emptySize); off+8 <= uint64(len(b)); {
		if string(b[off:off+8]) == blank {
			off += 8
			continue
		}
		if readRecord(b, off, &r) != nil || r.checkTail(b) != nil {
			damaged, lost = true, true
			off += 8
			continue
		}
		off = r.end()
		if r.kind != typeCommit {
			open = append(open, r.off)
			continue
		}
		if !damaged {
			if err := replayOne(tmp, b, open, lost); err != nil {
				return err
			}
		}
		open, damaged = open[:0], false
	}
	if tmp.h.records == 0 {
		return fmt.Errorf("%w: no records found", kv.ErrCorrupt)
	}
	return nil
}

func replayOne(tmp *file, b []byte, offsets []uint64, lost bool) error {
	var r record
	for _, off := range offsets {
		if err := readRecord(b, off, &r); err != nil {
			return err
		}
		var err error
		switch {
		case r.kind == typeAdd:
			err = tmp.put(r.key, r.val)
		case r.kind == typeDelete && !lost:
			err = removeBefore(tmp, b, r.next[0])
		}
		// After a loss a deletion may mean a record that was lost: nothing is
		// deleted then rather than something wrong.
		if err != nil {
			return err
		}
	}
	return tmp.commit()
}

// removeBefore undoes what a deletion left of itself: the offset of the record
// that came after the removed one. (Cyrus 3.x removes that one instead.)
func removeBefore(tmp *file, b []byte, next uint64) error {
	var r, before record
	var p position
	if next == 0 {
		if err := tmp.findLast(&p); err != nil {
			return err
		}
	} else if err := readRecord(b, next, &r); err != nil {
		return nil // of a transaction that was lost
	} else if err := tmp.find(r.key, &p); err != nil {
		return err
	}
	if p.back[0] == dummyOffset {
		return nil
	}
	if err := tmp.read(p.back[0], &before); err != nil {
		return err
	}
	return tmp.remove(append([]byte(nil), before.key...))
}
