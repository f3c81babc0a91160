package leveldb

import (
	"bytes"
	"slices"
	"sort"
)

// entry is a record, or the removal of one.
type entry struct {
	key, value []byte
	deleted    bool
}

// run is entries in the order of their keys, each key once.
type run []entry

// overlay is what was written after a handle was opened: runs, newer before
// older. It never changes; with returns another. Runs at least double in
// length, so there are few of them and adding one is cheap on average.
type overlay []run

// with returns o with r on top.
func (o overlay) with(r run) overlay {
	if len(r) == 0 {
		return o
	}
	rest := o
	for len(rest) > 0 && len(rest[0]) < 2*len(r) {
		r = merge(r, rest[0])
		rest = rest[1:]
	}
	return append(overlay{r}, rest...)
}

// merge returns the entries of both, newer's where both have a key.
func merge(newer, older run) run {
	out := make(run, 0, len(newer)+len(older))
	for len(newer) > 0 && len(older) > 0 {
		switch c := bytes.Compare(newer[0].key, older[0].key); {
		case c > 0:
			out, older = append(out, older[0]), older[1:]
		case c == 0:
			older = older[1:]
			fallthrough
		default:
			out, newer = append(out, newer[0]), newer[1:]
		}
	}
	return append(append(out, newer...), older...)
}

func (r run) search(key []byte) int {
	return sort.Search(len(r), func(i int) bool { return bytes.Compare(r[i].key, key) >= 0 })
}

// get returns the entry of key, if the overlay has one.
func (o overlay) get(key []byte) (e entry, ok bool) {
	for _, r := range o {
		if i := r.search(key); i < len(r) && bytes.Equal(r[i].key, key) {
			return r[i], true
		}
	}
	return e, false
}

// from returns the entries from start on as one run.
func (o overlay) from(start, prefix []byte) run {
	var out run
	for _, r := range slices.Backward(o) {
		part := r[r.search(start):]
		end := sort.Search(len(part), func(i int) bool { return !bytes.HasPrefix(part[i].key, prefix) })
		out = merge(part[:end], out)
	}
	return out
}

// collector makes a run of the changes it is told, in the order it is told.
type collector map[string]entry

func (c collector) Put(k, v []byte) {
	c[string(k)] = entry{key: bytes.Clone(k), value: append([]byte{}, v...)}
}

func (c collector) Delete(k []byte) {
	c[string(k)] = entry{key: bytes.Clone(k), deleted: true}
}

func (c collector) run() run {
	out := make(run, 0, len(c))
	for _, e := range c {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return out
}
