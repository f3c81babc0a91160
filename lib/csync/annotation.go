package csync

import (
	"strconv"

	"gocyrus/lib/dlist"
)

// Annotation is one annotation of a mailbox or a message.
type Annotation struct {
	Entry  string
	UserID string // empty is shared
	ModSeq uint64
	Value  []byte
}

// appendTo is by hand, for there may be several for each record.
func (a *Annotation) appendTo(dst []byte, form Form) []byte {
	dst = form.AppendString(append(dst, "%(ENTRY "...), a.Entry)
	dst = form.AppendString(append(dst, " USERID "...), a.UserID)
	dst = strconv.AppendUint(append(dst, " MODSEQ "...), a.ModSeq, 10)
	return append(form.text(append(dst, " VALUE "...), a.Value), ')')
}

func (a *Annotation) scan(s *dlist.Scanner, names *interner) error {
	if keyed, err := s.Open(); err != nil || !keyed {
		return ErrBadParameters
	}
	var seen uint8
	for !s.Close() {
		key, err := s.Word()
		if err != nil {
			return bad(err)
		}
		bit := annotationBit(key)
		if bit == 0 || seen&bit != 0 {
			err = bad(s.Skip())
		} else {
			seen |= bit
			err = a.set(bit, s, names)
		}
		if err != nil {
			return err
		}
	}
	if a.Entry == "" {
		return ErrBadParameters
	}
	return nil
}

// set reads one field. NIL leaves it empty.
func (a *Annotation) set(bit uint8, s *dlist.Scanner, names *interner) error {
	t, err := scanText(s)
	if err != nil || t == nil {
		return err
	}
	switch bit {
	case 1:
		a.Entry = names.of(t)
	case 2:
		a.UserID = names.of(t)
	case 4:
		a.ModSeq, err = number(t)
	default:
		a.Value = t
	}
	return err
}

func annotationBit(key []byte) uint8 {
	switch string(key) {
	case "ENTRY":
		return 1
	case "USERID":
		return 2
	case "MODSEQ":
		return 4
	case "VALUE":
		return 8
	}
	return 0
}

// annotations is the list of them in an object.
type annotations []Annotation

func (l *annotations) append(dst []byte, form Form) []byte { return appendAnnotations(dst, *l, form) }

func (l *annotations) scan(s *dlist.Scanner) (err error) {
	*l, err = scanAnnotations(s, nil, nil)
	return err
}

func appendAnnotations(dst []byte, list []Annotation, form Form) []byte {
	dst = append(dst, '(')
	for i := range list {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = list[i].appendTo(dst, form)
	}
	return append(dst, ')')
}

// scanAnnotations appends to list. Values are parts of what is scanned.
func scanAnnotations(s *dlist.Scanner, list []Annotation, names *interner) ([]Annotation, error) {
	if keyed, err := s.Open(); err != nil || keyed {
		return list, ErrBadParameters
	}
	for !s.Close() {
		list = append(list, Annotation{})
		if err := list[len(list)-1].scan(s, names); err != nil {
			return list, err
		}
	}
	return list, nil
}

// interner keeps the few names that thousands of records have in common. Its
// bound is for a peer that invents names. A nil interner keeps none.
type interner struct{ m map[string]string }

const maxInterned = 1 << 10

func (n *interner) of(t []byte) string {
	if n == nil {
		return string(t)
	}
	if s, ok := n.m[string(t)]; ok {
		return s
	}
	s := string(t)
	if n.m == nil {
		n.m = make(map[string]string)
	}
	if len(n.m) < maxInterned && len(s) < 256 {
		n.m[s] = s
	}
	return s
}
