package mailbox

import (
	"strconv"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
)

// A fold is a field of a record that lives as an annotation where the version of
// the index does not have it.
type fold struct {
	entry string
	since uint32 // the version that has the field
	base  int    // of the number in the annotation
	get   func(*indexfile.Record) uint64
	set   func(*indexfile.Record, uint64)
}

// text is the value of the annotation.
func (d *fold) text(r *indexfile.Record) []byte { return strconv.AppendUint(nil, d.get(r), d.base) }

const vendor = "/vendor/cmu/cyrus-imapd/"

var folds = []fold{
	{vendor + "thrid", 13, 16,
		func(r *indexfile.Record) uint64 { return r.CID }, func(r *indexfile.Record, n uint64) { r.CID = n }},
	{vendor + "savedate", 15, 10,
		func(r *indexfile.Record) uint64 { return uint64(r.SaveDate) }, func(r *indexfile.Record, n uint64) { r.SaveDate = uint32(n) }},
	{vendor + "createdmodseq", 16, 10,
		func(r *indexfile.Record) uint64 { return r.CreatedModSeq }, func(r *indexfile.Record, n uint64) { r.CreatedModSeq = n }},
}

// A folder turns fields into annotations and back while a mailbox is repacked
// from one version into another.
type folder struct {
	annots   *annots
	from, to uint32
	used     int64 // octets of annotations more than before
}

func (f *folder) open(m *Mailbox, from, to uint32) error {
	f.annots, f.from, f.to = m.annots(), from, to
	return f.annots.open(false)
}

// message folds the fields of one message. crc is what the annotations that
// came and went change in the CRC. An index before version 13 has no such CRC:
// there it is that of all annotations.
func (f *folder) message(r *indexfile.Record) (crc uint32, err error) {
	var have []Annot
	if f.from < f.to || f.from < 13 {
		err := f.annots.of(r.UID, func(k annotate.Key, v annotate.Value) error {
			have = append(have, Annot{k.Entry, k.User, append([]byte{}, v.Data...)})
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	for i := range folds {
		if d := &folds[i]; f.from < d.since && d.since <= f.to {
			crc ^= f.unfold(r, d, have)
		} else if f.to < d.since && d.since <= f.from && d.get(r) != 0 {
			crc ^= f.fold(r, d)
		}
	}
	if r.Flags&indexfile.Expunged != 0 {
		return 0, nil
	}
	if f.from < 13 {
		for _, a := range have {
			crc ^= f.annots.crc(r.UID, a.Entry, a.User, a.Data)
			f.used += int64(len(a.Data))
		}
	}
	return crc, nil
}

// unfold takes a field out of its annotation.
func (f *folder) unfold(r *indexfile.Record, d *fold, have []Annot) (crc uint32) {
	for _, a := range have {
		if a.Entry != d.entry || a.User != "" {
			continue
		}
		if n, err := strconv.ParseUint(string(a.Data), d.base, 64); err == nil && d.get(r) == 0 {
			d.set(r, n)
		}
		f.annots.changes = append(f.annots.changes, annotate.Change{
			Key: annotate.Key{Scope: annotate.Message(r.UID), Entry: d.entry},
		})
		crc ^= f.annots.crc(r.UID, a.Entry, "", a.Data)
		if r.Flags&indexfile.Expunged == 0 {
			f.used -= int64(len(a.Data))
		}
	}
	return crc
}

// fold makes an annotation of a field, whose place in the record the new version
// does not write.
func (f *folder) fold(r *indexfile.Record, d *fold) (crc uint32) {
	data := d.text(r)
	f.annots.changes = append(f.annots.changes, annotate.Change{
		Key:  annotate.Key{Scope: annotate.Message(r.UID), Entry: d.entry},
		Data: data, ModSeq: r.ModSeq,
	})
	if r.Flags&indexfile.Expunged == 0 {
		f.used += int64(len(data))
	}
	return f.annots.crc(r.UID, d.entry, "", data)
}

// finish writes the annotations and counts them.
func (f *folder) finish(h *indexfile.Header) error {
	defer f.annots.close()
	if f.from < 13 {
		h.AnnotUsed = 0
	}
	h.AnnotUsed = uint32(max(0, int64(h.AnnotUsed)+f.used))
	return f.annots.apply()
}
