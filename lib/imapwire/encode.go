package imapwire

import (
	"strconv"
	"unicode/utf8"
)

// AppendAString appends s as Cyrus prints an astring: bare when it is an atom,
// else quoted, else as a literal.
func AppendAString(b []byte, s string) []byte {
	if isNatom(s) && len(s) < 1024 {
		return append(b, s...)
	}
	return AppendString(b, s)
}

// AppendString appends s in quotes or, where quotes cannot hold it, as a
// literal.
func AppendString(b []byte, s string) []byte {
	if isQuotable(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	return AppendLiteral(b, s)
}

// AppendNString is AppendString, with NIL for a string that is not there.
func AppendNString(b []byte, s string, ok bool) []byte {
	if !ok {
		return append(b, "NIL"...)
	}
	return AppendString(b, s)
}

// AppendLiteral appends s as a literal.
func AppendLiteral[S ~string | ~[]byte](b []byte, s S) []byte {
	b = AppendLiteralHeader(b, len(s))
	return append(b, s...)
}

// AppendLiteralHeader appends what announces n octets.
func AppendLiteralHeader(b []byte, n int) []byte {
	b = append(b, '{')
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, "}\r\n"...)
}

// AppendQuoted appends s in quotes, escaping what must be: for text that is
// never bare, such as the separator of LIST and URLs.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// AppendNum appends a number.
func AppendNum[N ~int | ~int64 | ~uint32 | ~uint64](b []byte, n N) []byte {
	return strconv.AppendUint(b, uint64(n), 10)
}

// ValidUTF8 reports whether s may go out as UTF-8 text.
func ValidUTF8(s string) bool { return utf8.ValidString(s) }
