package csync

import (
	"iter"

	"gocyrus/lib/dlist"
)

// Records is a RECORD list. A received one stays text, about 300 octets a
// message, until it is walked over; every record in it has been checked.
type Records struct {
	list []Record
	text []byte // "(...)"
	n    int
	rise bool
}

// RecordsOf makes a list of records, which it refers to.
func RecordsOf(list []Record) Records { return Records{list: list, n: len(list), rise: rising(list)} }

func rising(list []Record) bool {
	for i := 1; i < len(list); i++ {
		if list[i].UID <= list[i-1].UID {
			return false
		}
	}
	return true
}

// Len is the number of records.
func (l *Records) Len() int { return l.n }

// Rising says whether each UID is above the one before, as Cyrus sends them and
// relies on.
func (l *Records) Rising() bool { return l.n == 0 || l.rise }

// All walks over the records. What it yields is only good until the next.
func (l *Records) All() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for c := l.Cursor(); c.Next(); {
			if !yield(&c.Record) {
				return
			}
		}
	}
}

// List makes a slice of the records, with memory of their own.
func (l *Records) List() []Record {
	if l.text == nil {
		return l.list
	}
	out := make([]Record, 0, l.n)
	for c := l.Cursor(); c.Next(); {
		out = append(out, c.Record)
		c.Flags, c.Annotations = nil, nil
	}
	return out
}

// Cursor walks over records for a caller that does something else in between.
type Cursor struct {
	Record // the present one, good until Next

	list  []Record
	scan  dlist.Scanner
	text  bool
	names interner
}

// Cursor returns a cursor before the first record.
func (l *Records) Cursor() *Cursor {
	c := &Cursor{list: l.list}
	if l.text != nil {
		c.text, c.scan = true, dlist.Scan(l.text)
		c.scan.Open()
	}
	return c
}

// Next goes to the next record and says whether there is one.
func (c *Cursor) Next() bool {
	if !c.text {
		if len(c.list) == 0 {
			return false
		}
		c.Record, c.list = c.list[0], c.list[1:]
		return true
	}
	if c.scan.Close() || c.scan.AtEnd() {
		return false
	}
	// A list was read once before, so that there can be no error.
	return c.Record.scan(&c.scan, &c.names) == nil
}

func (l *Records) append(dst []byte, form Form) []byte {
	dst = append(dst, '(')
	first := true
	for r := range l.All() {
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = r.Append(dst, form)
	}
	return append(dst, ')')
}

func (l *Records) scan(s *dlist.Scanner) error {
	rest, start := s.Rest(), s.Pos()
	*l = Records{rise: true}
	var r Record
	var names interner
	var last uint32
	err := eachItem(s, func() error {
		err := r.scan(s, &names)
		l.rise = l.rise && (l.n == 0 || r.UID > last)
		last = r.UID
		l.n++
		return err
	})
	l.text = rest[:s.Pos()-start]
	return err
}
