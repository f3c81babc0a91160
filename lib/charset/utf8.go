package charset

import "unicode/utf8"

// utf8Reader decodes UTF-8 in pieces. Ill-formed sequences become U+FFFD where
// Cyrus puts it: one for a sequence broken off, one for each octet that cannot
// start or continue one. A sequence that the text ends in is dropped.
type utf8Reader struct {
	left int
	code rune
}

// decode appends src to dst as well-formed UTF-8.
func (u *utf8Reader) decode(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if u.left == 0 {
			// The usual: ASCII, and sequences that lie in src whole.
			c := src[i]
			if c < utf8.RuneSelf {
				dst = append(dst, c)
				i++
				continue
			}
			if r, n := utf8.DecodeRune(src[i:]); n > 1 {
				dst = utf8.AppendRune(dst, r)
				i += n
				continue
			}
		}
		dst = u.octet(dst, src[i])
		i++
	}
	return dst
}

func (u *utf8Reader) octet(dst []byte, c byte) []byte {
	if c&0xc0 == 0x80 {
		if u.left == 0 {
			return utf8.AppendRune(dst, utf8.RuneError)
		}
		u.code = u.code<<6 | rune(c&0x3f)
		if u.left--; u.left == 0 {
			dst = utf8.AppendRune(dst, u.code) // surrogates come out as U+FFFD
			u.code = 0
		}
		return dst
	}
	invalid := c == 0xc0 || c == 0xc1 || c >= 0xf5
	if u.left > 0 && c < 0xf8 {
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	u.left, u.code = 0, 0
	switch {
	case invalid:
		dst = utf8.AppendRune(dst, utf8.RuneError)
	case c < 0x80:
		dst = append(dst, c)
	case c < 0xe0:
		u.left, u.code = 1, rune(c&0x1f)
	case c < 0xf0:
		u.left, u.code = 2, rune(c&0x0f)
	default:
		u.left, u.code = 3, rune(c&0x07)
	}
	return dst
}
