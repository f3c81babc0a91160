package csync

import (
	"bytes"
	"strconv"

	"gocyrus/lib/dlist"
	"gocyrus/lib/guid"
)

// Expunged is the flag that stands for the state of being expunged.
const Expunged = `\Expunged`

// Record is one message, as a RECORD list holds it. Times are seconds since
// 1970.
type Record struct {
	UID          uint32
	ModSeq       uint64
	LastUpdated  uint32
	Flags        []string // \Deleted \Answered \Flagged \Draft \Expunged \Seen, then keywords in the mailbox's order
	InternalDate uint32
	Size         uint32
	GUID         guid.GUID
	Annotations  []Annotation // stored ones sorted, then synthetic ones; absent ones are to be removed
}

// Append appends r. It is by hand: a mailbox may have a million.
func (r *Record) Append(dst []byte, form Form) []byte {
	dst = strconv.AppendUint(append(dst, "%(UID "...), uint64(r.UID), 10)
	dst = strconv.AppendUint(append(dst, " MODSEQ "...), r.ModSeq, 10)
	dst = strconv.AppendUint(append(dst, " LAST_UPDATED "...), uint64(r.LastUpdated), 10)
	dst = appendFlags(append(dst, " FLAGS "...), r.Flags, form)
	dst = strconv.AppendUint(append(dst, " INTERNALDATE "...), uint64(r.InternalDate), 10)
	dst = strconv.AppendUint(append(dst, " SIZE "...), uint64(r.Size), 10)
	dst = r.GUID.AppendHex(append(dst, " GUID "...))
	if len(r.Annotations) > 0 {
		dst = appendAnnotations(append(dst, " ANNOTATIONS "...), r.Annotations, form)
	}
	return append(dst, ')')
}

// Has says whether r has a flag, as spelt on the wire.
func (r *Record) Has(flag string) bool {
	for _, f := range r.Flags {
		if f == flag {
			return true
		}
	}
	return false
}

// The bits of what a record has.
const (
	seenUID = 1 << iota
	seenModSeq
	seenUpdated
	seenFlags
	seenDate
	seenSize
	seenGUID
	seenAnnots
	neededOfRecord = seenUID | seenModSeq | seenUpdated | seenFlags | seenDate | seenSize | seenGUID
)

// scan reads the record that stands next, into the memory of the one before. It
// uses no functions as values, for each would be memory for each record.
func (r *Record) scan(s *dlist.Scanner, names *interner) error {
	*r = Record{Flags: r.Flags[:0], Annotations: r.Annotations[:0]}
	if keyed, err := s.Open(); err != nil || !keyed {
		return ErrBadParameters
	}
	seen := 0
	for !s.Close() {
		key, err := s.Word()
		if err != nil {
			return bad(err)
		}
		if bit := recordBit(key); bit == 0 || seen&bit != 0 {
			err = bad(s.Skip())
		} else {
			seen |= bit
			err = r.set(bit, s, names)
		}
		if err != nil {
			return err
		}
	}
	if seen&neededOfRecord != neededOfRecord {
		return ErrBadParameters
	}
	return nil
}

func recordBit(key []byte) int {
	switch string(key) {
	case "UID":
		return seenUID
	case "MODSEQ":
		return seenModSeq
	case "LAST_UPDATED":
		return seenUpdated
	case "FLAGS":
		return seenFlags
	case "INTERNALDATE":
		return seenDate
	case "SIZE":
		return seenSize
	case "GUID":
		return seenGUID
	case "ANNOTATIONS":
		return seenAnnots
	}
	return 0
}

func (r *Record) set(bit int, s *dlist.Scanner, names *interner) (err error) {
	switch bit {
	case seenFlags:
		r.Flags, err = scanFlags(s, r.Flags, names)
		return err
	case seenAnnots:
		r.Annotations, err = scanAnnotations(s, r.Annotations, names)
		return err
	}
	t, err := scanText(s)
	if err != nil {
		return err
	}
	if bit == seenGUID {
		return setGUID(&r.GUID, t)
	}
	n, err := number(t)
	switch bit {
	case seenUID:
		r.UID = uint32(n)
	case seenModSeq:
		r.ModSeq = n
	case seenUpdated:
		r.LastUpdated = uint32(n)
	case seenDate:
		r.InternalDate = uint32(n)
	case seenSize:
		r.Size = uint32(n)
	}
	return err
}

func appendFlags(dst []byte, list []string, form Form) []byte {
	dst = append(dst, '(')
	for i, f := range list {
		if i > 0 {
			dst = append(dst, ' ')
		}
		if isFlag(f) {
			dst = append(dst, f...)
		} else {
			dst = form.AppendString(dst, f)
		}
	}
	return append(dst, ')')
}

// isFlag says whether a flag can be written as it is.
func isFlag(f string) bool {
	if f == "" || f[0] == '%' || f[0] == '{' || f[0] == '"' || len(f) >= 1024 {
		return false
	}
	for i := range len(f) {
		switch c := f[i]; {
		case c <= ' ', c >= 0x7f, c == '(', c == ')', c == '"':
			return false
		}
	}
	return true
}

// scanFlags appends to list, system flags as we spell them.
func scanFlags(s *dlist.Scanner, list []string, names *interner) ([]string, error) {
	if list == nil {
		list = []string{}
	}
	if keyed, err := s.Open(); err != nil || keyed {
		return list, ErrBadParameters
	}
	for !s.Close() {
		if k, err := s.Kind(); err != nil || k > dlist.Text {
			return list, ErrBadParameters
		}
		t, err := s.Word()
		if err != nil {
			return list, bad(err)
		}
		list = append(list, flagName(t, names))
	}
	return list, nil
}

// systemFlags in the order of the wire.
var systemFlags = [...]string{`\Deleted`, `\Answered`, `\Flagged`, `\Draft`, Expunged, `\Seen`}

func flagName(t []byte, names *interner) string {
	if len(t) > 0 && t[0] == '\\' {
		for _, f := range systemFlags {
			if f == string(t) || len(f) == len(t) && bytes.EqualFold([]byte(f), t) {
				return f
			}
		}
	}
	return names.of(t)
}
