package message

import "bytes"

// Fields is a set of header field names to pick out of headers, as FETCH
// BODY[HEADER.FIELDS (...)] asks (RFC 3501 section 6.4.5). It may be used by any
// number of goroutines.
type Fields struct {
	names   [][]byte // lower case
	lengths uint64   // bit n: a name has n octets (63: or more)
	not     bool
	max     int
}

// NewFields makes a set. not asks for the fields that are not in it. maxLines is
// the option maxheaderlines: so many fields of a header are looked at, 0 is no
// limit.
func NewFields(names []string, not bool, maxLines int) *Fields {
	f := &Fields{not: not, max: maxLines}
	for _, n := range names {
		f.names = append(f.names, bytes.ToLower([]byte(n)))
		f.lengths |= 1 << min(len(n), 63)
	}
	return f
}

// has says whether a name, in any case, is in the set.
func (f *Fields) has(name []byte) bool {
	if f.lengths&(1<<min(len(name), 63)) == 0 {
		return false
	}
	for _, n := range f.names {
		if len(n) == len(name) && equalLower(name, n) {
			return true
		}
	}
	return false
}

func equalLower(s, lower []byte) bool {
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Append appends the fields of header that are asked for to dst, as they stand,
// with their folds. The empty line at the end of a header is not one of them,
// and lines without a colon are in no set.
func (f *Fields) Append(dst, header []byte) []byte {
	for count := 0; len(header) > 0 && header[0] != '\r'; count++ {
		if f.max > 0 && count > f.max {
			break
		}
		n := fieldLen(header)
		if k := bytes.IndexByte(header[:n], ':'); k >= 0 && f.has(header[:k]) != f.not {
			dst = append(dst, header[:n]...)
		}
		header = header[n:]
	}
	return dst
}

// Value finds the first field of a name, in any case, in a header. The value is
// what follows the colon without white space around it, still folded; it is nil
// if there is none.
func Value(header []byte, name string) []byte {
	for len(header) > 0 && header[0] != '\r' && header[0] != '\n' {
		n := fieldLen(header)
		if len(name) < n && header[len(name)] == ':' && bytes.EqualFold(header[:len(name)], []byte(name)) {
			if v := bytes.TrimSpace(header[len(name)+1 : n]); v != nil {
				return v
			}
			return header[n:n]
		}
		header = header[n:]
	}
	return nil
}

// fieldLen is the length of the field that header starts with, with its
// continuation lines and line end.
func fieldLen(header []byte) int {
	n := 0
	for n < len(header) {
		k := bytes.IndexByte(header[n:], '\n')
		if k < 0 {
			return len(header)
		}
		n += k + 1
		if c := at(header, n); c != ' ' && c != '\t' {
			break
		}
	}
	return n
}

// Unfold appends a field's value to dst without its line ends.
func Unfold(dst, value []byte) []byte { return unfold(dst, value) }
