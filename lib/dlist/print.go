package dlist

import "strconv"

// AppendText appends t as the shortest of atom, quoted string and literal that
// can hold it; nil is NIL.
func AppendText(dst, t []byte) []byte { return appendText(dst, t, "}\r\n") }

// AppendTextPlus is AppendText with literals that wait for nobody, {3+}, as a
// client of the sync protocol must write them.
func AppendTextPlus(dst, t []byte) []byte { return appendText(dst, t, "+}\r\n") }

func appendText(dst, t []byte, literalEnd string) []byte {
	switch {
	case t == nil:
		return append(dst, "NIL"...)
	case len(t) == 0:
		return append(dst, `""`...)
	case isAtom(t):
		return append(dst, t...)
	case isQuotable(t):
		return append(append(append(dst, '"'), t...), '"')
	}
	dst = append(strconv.AppendInt(append(dst, '{'), int64(len(t)), 10), literalEnd...)
	return append(dst, t...)
}

// AppendString is AppendText of a string, which is never NIL.
func AppendString(dst []byte, t string) []byte {
	if t == "" {
		return append(dst, `""`...)
	}
	return AppendText(dst, []byte(t))
}

// isAtom: Cyrus's imparse_isatom and is_atom; 0x1F may be in an atom and 0x1D
// may not.
func isAtom(t []byte) bool {
	if len(t) == 0 || len(t) >= maxAtom || isNil(t) {
		return false
	}
	for _, c := range t {
		if c >= 0x7f || c < 0x1f {
			return false
		}
		switch c {
		case ' ', '{', '(', ')', '"', '%', '*', '\\':
			return false
		}
	}
	return true
}

func isQuotable(t []byte) bool {
	if len(t) >= maxAtom {
		return false
	}
	for _, c := range t {
		switch {
		case c >= 0x80, c == 0, c == '\r', c == '\n', c == '"', c == '%', c == '\\':
			return false
		}
	}
	return true
}
