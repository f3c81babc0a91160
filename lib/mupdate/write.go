package mupdate

import "strconv"

// AppendLiteral appends s as a literal that waits for nobody, which is legal in
// both directions here.
func AppendLiteral(b []byte, s string) []byte {
	b = append(b, '{')
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, "+}\r\n"...)
	return append(b, s...)
}

// AppendQuoted appends s as a quoted string. Line ends, which it cannot hold,
// become blanks.
func AppendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\r', '\n', 0:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// AppendCommand appends a command, its arguments as literals.
func AppendCommand(b []byte, tag, name string, args ...string) []byte {
	b = append(append(append(b, tag...), ' '), name...)
	for _, a := range args {
		b = AppendLiteral(append(b, ' '), a)
	}
	return append(b, "\r\n"...)
}

// AppendEntry appends the line about e, without its tag and the blank behind
// that, so that the same octets serve many readers.
func AppendEntry(b []byte, e *Entry) []byte {
	b = AppendLiteral(append(append(b, e.State.String()...), ' '), string(e.Name))
	if e.State != Absent {
		b = AppendLiteral(append(b, ' '), e.Location)
	}
	if e.State == Active {
		b = AppendLiteral(append(b, ' '), e.ACL)
	}
	return append(b, "\r\n"...)
}
