package twoskip

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mappedfile"
)

// file is a locked file: what is on disk, and during a transaction what is
// being added to it. end is where data ends; beyond the header's size it is not
// committed yet.
type file struct {
	f   *os.File
	m   *mappedfile.Map
	h   header
	end uint64
}

// load reads the header anew, after a lock was taken.
func (t *file) load() (err error) {
	if err := t.m.Refresh(); err != nil {
		return err
	}
	if t.h, err = parseHeader(t.m.Bytes()); err != nil {
		return fmt.Errorf("%s: %w", t.f.Name(), err)
	}
	t.end = t.h.size
	return nil
}

func (t *file) close() error { return errors.Join(t.m.Close(), t.f.Close()) }

// clean says whether the last transaction was ended in order.
func (t *file) clean() bool {
	return t.h.flags&flagDirty == 0 && uint64(len(t.m.Bytes())) == t.h.size
}

func (t *file) read(off uint64, r *record) error {
	if err := readRecord(t.m.Bytes(), off, r); err != nil {
		return fmt.Errorf("%s: %w", t.f.Name(), err)
	}
	return nil
}

// get returns the pointer of level l. Of the two of the lowest level that one
// counts which is of the later transaction, but not of one that was undone.
func (t *file) get(r *record, l int) uint64 {
	if l > 0 {
		if r.next[l+1] >= t.end {
			return 0 // undone; the level below knows the way
		}
		return r.next[l+1]
	}
	a, b := r.next[0], r.next[1]
	switch {
	case a >= t.end:
		return b
	case b >= t.end:
		return a
	}
	return max(a, b)
}

// set changes the pointer of level l; on the lowest level never the one that
// holds the committed state.
func (t *file) set(r *record, l int, off uint64) {
	switch {
	case l > 0:
		r.next[l+1] = off
	case r.next[0] >= t.h.size:
		r.next[0] = off
	case r.next[1] >= t.h.size:
		r.next[1] = off
	case r.next[1] > r.next[0]:
		r.next[0] = off
	default:
		r.next[1] = off
	}
}

// live reads the record at off or, when that is a deletion, the one after it.
// It is false at the end of the list.
func (t *file) live(off uint64, r *record) (bool, error) {
	for n := 0; off != 0; n++ {
		if err := t.read(off, r); err != nil {
			return false, err
		}
		if r.kind != typeDelete {
			return true, nil
		}
		if n > 1 || r.next[0] == off {
			return false, fmt.Errorf("%s: %w: deletions in a row at %d", t.f.Name(), kv.ErrCorrupt, off)
		}
		off = r.next[0]
	}
	return false, nil
}

// position is where a key is or would be: on each level the record before it
// and the offset that the record's pointer has.
type position struct {
	back, fwd [maxLevel]uint64
	found     bool
	rec       record // the key's, if found, else the one before
}

func (t *file) find(key []byte, p *position) error {
	p.found = false
	var cur, hit record
	if err := t.read(dummyOffset, &cur); err != nil {
		return err
	}
	p.rec = cur
	var last uint64 // the offset that was compared last, and was not less
	for l := maxLevel - 1; l >= 0; l-- {
		for steps := uint64(0); ; steps++ {
			off := t.get(&cur, l)
			p.back[l], p.fwd[l] = cur.off, off
			if off == 0 || off == last {
				break
			}
			ok, err := t.live(off, &hit)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			c := bytes.Compare(hit.key, key)
			if c >= 0 {
				last = off
				if c == 0 {
					p.found, p.rec = true, hit
				}
				break
			}
			if steps > t.end/24 || hit.level <= l {
				return fmt.Errorf("%s: %w: level %d at %d", t.f.Name(), kv.ErrCorrupt, l, off)
			}
			cur = hit
		}
	}
	if !p.found {
		p.rec = cur
	}
	return nil
}

// findLast is find of a key after all others.
func (t *file) findLast(p *position) error {
	p.found = false
	var cur, next record
	if err := t.read(dummyOffset, &cur); err != nil {
		return err
	}
	for l := maxLevel - 1; l >= 0; l-- {
		for steps := uint64(0); ; steps++ {
			p.back[l], p.fwd[l] = cur.off, t.get(&cur, l)
			ok, err := t.live(p.fwd[l], &next)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if steps > t.end/24 || next.level <= l {
				return fmt.Errorf("%s: %w: level %d at %d", t.f.Name(), kv.ErrCorrupt, l, next.off)
			}
			cur = next
		}
	}
	p.rec = cur
	return nil
}

// write puts b at off and keeps the mapping up to date.
func (t *file) write(b []byte, off uint64) error {
	_, err := t.f.WriteAt(b, int64(off))
	if err == nil && off+uint64(len(b)) > uint64(len(t.m.Bytes())) {
		err = t.m.Refresh()
	}
	return err
}

func (t *file) datasync() error { return unix.Fdatasync(int(t.f.Fd())) }

func (t *file) writeHeader() error {
	return errors.Join(t.write(t.h.bytes(), 0), t.datasync())
}

// begin marks the file as being changed, before the first change.
func (t *file) begin() error {
	if t.h.flags&flagDirty != 0 {
		return nil
	}
	t.h.flags |= flagDirty
	return t.writeHeader()
}

// add appends a record. Its offset is set.
func (t *file) add(r *record) error {
	if err := t.begin(); err != nil {
		return err
	}
	tail := r.appendTail(nil)
	head := r.appendHead(nil)
	var out []byte
	if len(head) <= 504 {
		for at := t.end; (at+8)%512 > (at-8+uint64(len(head)))%512; at += 8 {
			out = append(out, blank...)
		}
	}
	r.off, r.headLen = t.end+uint64(len(out)), len(head)
	out = append(append(out, head...), tail...)
	if err := t.write(out, t.end); err != nil {
		return err
	}
	t.end += uint64(len(out))
	return nil
}

// rewrite writes a record's pointers in place.
func (t *file) rewrite(r *record) error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.write(r.appendHead(make([]byte, 0, r.headLen)), r.off)
}

// stitch points the records before a position, on levels below levels, to fwd.
func (t *file) stitch(p *position, fwd *[maxLevel]uint64, levels int) error {
	var r record
	for l := 0; l < levels; {
		if err := t.read(p.back[l], &r); err != nil {
			return err
		}
		if r.level <= l {
			return fmt.Errorf("%s: %w: level %d at %d", t.f.Name(), kv.ErrCorrupt, l, r.off)
		}
		top := min(r.level, levels)
		for ; l < top; l++ {
			t.set(&r, l, fwd[l])
		}
		if err := t.rewrite(&r); err != nil {
			return err
		}
	}
	return nil
}

// randomLevel: each further level with probability 1/2.
func randomLevel() int {
	l := 1
	for l < maxLevel && rand.Uint32()&1 == 0 {
		l++
	}
	return l
}

// put stores a value in the running transaction. The value that is there
// already writes nothing.
func (t *file) put(key, val []byte) error {
	var p position
	if err := t.find(key, &p); err != nil {
		return err
	}
	if p.found && bytes.Equal(p.rec.val, val) {
		return nil
	}
	next, levels := p.fwd, 0
	if p.found {
		levels = p.rec.level
		for l := range levels {
			next[l] = t.get(&p.rec, l)
		}
		t.h.records--
	}
	r := record{kind: typeAdd, level: randomLevel(), key: key, val: val}
	for l := range r.level {
		r.next[l+1] = next[l]
	}
	if err := t.add(&r); err != nil {
		return err
	}
	for l := range r.level {
		next[l] = r.off
	}
	t.h.records++
	return t.stitch(&p, &next, max(r.level, levels))
}

// remove deletes a key in the running transaction.
func (t *file) remove(key []byte) error {
	var p position
	if err := t.find(key, &p); err != nil || !p.found {
		return err
	}
	levels := p.rec.level
	var next [maxLevel]uint64
	for l := range levels {
		next[l] = t.get(&p.rec, l)
	}
	del := record{kind: typeDelete}
	var after record
	ok, err := t.live(next[0], &after)
	if err != nil {
		return err
	}
	if ok {
		del.next[0] = after.off
	}
	if err := t.add(&del); err != nil {
		return err
	}
	next[0] = del.off
	t.h.records--
	return t.stitch(&p, &next, levels)
}

// commit ends a transaction: its records on disk first, then the header, which
// is the moment it happens.
func (t *file) commit() error {
	if t.h.flags&flagDirty == 0 {
		return nil
	}
	c := record{kind: typeCommit}
	c.next[0] = t.h.size
	if err := errors.Join(t.add(&c), t.f.Sync()); err != nil {
		return err
	}
	t.h.size = t.end
	t.h.flags &^= flagDirty
	return t.writeHeader()
}
