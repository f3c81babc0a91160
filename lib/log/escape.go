package log

import "fmt"

// escape makes the control characters in b[from:] visible: those of ASCII, and
// the C1 set in UTF-8, which terminals obey as well. Text without any, nearly
// all text, stays as it is.
func escape(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		if control(b, i) {
			return escapeRest(b, i)
		}
	}
	return b
}

// control says whether the character that starts at b[i] is one.
func control(b []byte, i int) bool {
	c := b[i]
	return c < ' ' || c == 0x7f || c == 0xc2 && i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] < 0xa0
}

func escapeRest(b []byte, from int) []byte {
	rest := append([]byte(nil), b[from:]...)
	b = b[:from]
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case !control(rest, i):
			b = append(b, c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == 0xc2:
			i++
			b = fmt.Appendf(b, `\u%04x`, rest[i])
		default:
			b = fmt.Appendf(b, `\x%02x`, c)
		}
	}
	return b
}
