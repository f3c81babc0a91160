package twoskip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// minRewrite is the size below which a file is not checkpointed, in octets.
const minRewrite = 16834

// createFile makes an empty database, locked.
func createFile(path string, generation uint64) (*file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	t := &file{f: f}
	if err := t.format(generation); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// format writes header and dummy into an empty file.
func (t *file) format(generation uint64) (err error) {
	if err := lock.Wait(context.Background(), t.f, lock.Exclusive); err != nil {
		return err
	}
	t.h = header{generation: generation, repackSize: emptySize, size: emptySize}
	dummy := record{kind: typeDummy, level: maxLevel}
	tail := dummy.appendTail(nil)
	b := append(dummy.appendHead(t.h.bytes()[:headerSize:headerSize]), tail...)
	// As one write and one sync: a crash leaves nothing, or all of it.
	if _, err := t.f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := t.f.Sync(); err != nil {
		return err
	}
	if t.m == nil {
		if t.m, err = mappedfile.NewMap(t.f); err != nil {
			return err
		}
	}
	return t.load()
}

// checkpoint writes the live records into a new file, which takes the name.
func (t *file) checkpoint() error {
	if err := t.consistent(); err != nil {
		return err
	}
	tmp, err := createFile(t.f.Name()+".NEW", t.h.generation+1)
	if err != nil {
		return err
	}
	err = t.walk(dummyOffset, func(r *record) (bool, error) {
		if err := r.checkTail(t.m.Bytes()); err != nil {
			return false, err
		}
		return true, tmp.put(r.key, r.val)
	})
	if err == nil {
		err = tmp.begin()
	}
	if err == nil {
		// The commit record is 24 octets, and a blank may come before it.
		tmp.h.repackSize = tmp.end
		err = tmp.commit()
	}
	if err == nil {
		err = tmp.consistent()
	}
	if err = errors.Join(err, tmp.close()); err != nil {
		return errors.Join(err, os.Remove(tmp.f.Name()))
	}
	return mappedfile.Rename(tmp.f.Name(), t.f.Name())
}

// walk calls fn for the live records after the one at off, in order, until it
// returns false. fn may not change the file.
func (t *file) walk(off uint64, fn func(r *record) (bool, error)) error {
	var r record
	if err := t.read(off, &r); err != nil {
		return err
	}
	for steps := uint64(0); ; steps++ {
		ok, err := t.live(t.get(&r, 0), &r)
		if err != nil || !ok {
			return err
		}
		if steps > t.end/24 {
			return fmt.Errorf("%s: %w: records in a ring", t.f.Name(), kv.ErrCorrupt)
		}
		if more, err := fn(&r); err != nil || !more {
			return err
		}
	}
}

// consistent checks order, the pointers of every level, and the count.
func (t *file) consistent() error {
	var r, prev record
	if err := t.read(dummyOffset, &prev); err != nil {
		return err
	}
	var fwd [maxLevel]uint64
	for l := range fwd {
		fwd[l] = t.get(&prev, l)
	}
	records := uint64(0)
	for steps := uint64(0); fwd[0] != 0; steps++ {
		if steps > t.end/24 {
			return t.broken("records in a ring", &prev)
		}
		if err := t.read(fwd[0], &r); err != nil {
			return err
		}
		if r.kind == typeDelete {
			fwd[0] = r.next[0]
			continue
		}
		if bytes.Compare(r.key, prev.key) <= 0 && prev.off != dummyOffset {
			return t.broken("out of order", &r)
		}
		for l := range min(r.level, maxLevel) {
			if fwd[l] != r.off {
				return t.broken(fmt.Sprintf("level %d does not lead here", l), &r)
			}
			fwd[l] = t.get(&r, l)
		}
		if err := r.checkTail(t.m.Bytes()); err != nil {
			return err
		}
		records++
		prev = r
	}
	for l, off := range fwd {
		if off != 0 {
			return t.broken(fmt.Sprintf("level %d does not end, at %d", l, off), &prev)
		}
	}
	if records != t.h.records {
		return fmt.Errorf("%s: %w: %d records, the header says %d", t.f.Name(), kv.ErrCorrupt, records, t.h.records)
	}
	return nil
}

func (t *file) broken(what string, r *record) error {
	return fmt.Errorf("%s: %w: record at %d: %s", t.f.Name(), kv.ErrCorrupt, r.off, what)
}
