package indexfile

import "fmt"

// Table is the records of a whole file, where they lie.
type Table struct {
	b []byte // records only
	l *layout
	n int
}

// NewTable is the records of the file that b begins, as many as h says. The
// error is ErrVersion, or ErrFormat when b is too short.
func NewTable(b []byte, h *Header) (Table, error) {
	l := layoutOf(h.Version)
	if l == nil {
		return Table{}, fmt.Errorf("version %d: %w", h.Version, ErrVersion)
	}
	end := int64(l.header) + int64(h.NumRecords)*int64(l.record)
	if int64(len(b)) < end {
		return Table{}, fmt.Errorf("%d records in %d octets: %w", h.NumRecords, len(b), ErrFormat)
	}
	return Table{b[l.header:end], l, int(h.NumRecords)}, nil
}

// Len is the number of records.
func (t Table) Len() int { return t.n }

// Raw is record recno, from 1 to Len; another recno panics.
func (t Table) Raw(recno int) Raw {
	size := t.l.record
	off := (recno - 1) * size
	return Raw{t.b[off : off+size : off+size], t.l}
}

// Find is the record of a uid, by binary search. Wiped records, whose uid is 0,
// are stepped over. ok is false when no record has the uid; recno is then the
// first with a larger one, or Len+1.
func (t Table) Find(uid uint32) (recno int, ok bool) {
	lo, hi := 1, t.n+1
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		at := mid
		for at < hi && t.Raw(at).UID() == 0 {
			at++
		}
		switch {
		case at == hi: // nothing but wiped ones from mid on
			hi = mid
		case t.Raw(at).UID() < uid:
			lo = at + 1
		default:
			if t.Raw(at).UID() == uid {
				return at, true
			}
			hi = mid
		}
	}
	return lo, false
}
