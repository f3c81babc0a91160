package charset

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// utf7Reader decodes UTF-7 (RFC 2152), or with imap set the modified form of
// mailbox names (RFC 3501 section 5.1.3), in pieces. It is lenient; names are
// checked by DecodeUTF7.
type utf7Reader struct {
	imap    bool
	shifted bool
	empty   bool // nothing since the shift
	bits    uint32
	nbits   int
	high    rune // a surrogate waiting for its second half
}

func (u *utf7Reader) decode(dst, src []byte) []byte {
	shift, table := byte('+'), &std64
	if u.imap {
		shift, table = '&', &imap64
	}
	for _, c := range src {
		if !u.shifted {
			switch {
			case c == shift:
				u.shifted, u.empty, u.bits, u.nbits = true, true, 0, 0
			case c < utf8.RuneSelf:
				dst = append(dst, c)
			default:
				dst = utf8.AppendRune(dst, utf8.RuneError)
			}
			continue
		}
		if v := table.value[c]; v < 64 {
			u.empty = false
			dst = u.sextet(dst, v)
			continue
		}
		if u.high != 0 {
			dst, u.high = utf8.AppendRune(dst, utf8.RuneError), 0
		}
		u.shifted = false
		switch {
		case c == '-' && u.empty:
			dst = append(dst, shift)
		case c == '-':
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
	}
	return dst
}

func (u *utf7Reader) sextet(dst []byte, v byte) []byte {
	u.bits = u.bits<<6 | uint32(v)
	if u.nbits += 6; u.nbits < 16 {
		return dst
	}
	u.nbits -= 16
	r := rune(u.bits >> u.nbits & 0xffff)
	u.bits &= 1<<u.nbits - 1
	switch {
	case u.high != 0:
		if both := utf16.DecodeRune(u.high, r); both != utf8.RuneError {
			u.high = 0
			return utf8.AppendRune(dst, both)
		}
		dst, u.high = utf8.AppendRune(dst, utf8.RuneError), 0
	}
	if 0xd800 <= r && r < 0xdc00 {
		u.high = r
		return dst
	}
	return utf8.AppendRune(dst, r)
}

// imap64 is the alphabet of modified UTF-7: "," in place of "/".
var imap64 = newTable64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")

const imapAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

// ErrUTF7 is the error of a name that is not well-formed modified UTF-7.
var ErrUTF7 = errors.New("not modified UTF-7")

// DecodeUTF7 gives the UTF-8 form of a name in modified UTF-7. It accepts only
// the one form RFC 3501 section 5.1.3 allows for each name: printable ASCII as
// itself, "&-" for "&", no two shifts in a row, no superfluous bits. The error
// is ErrUTF7.
func DecodeUTF7(name string) (string, error) {
	dst := make([]byte, 0, len(name))
	var u utf7Reader
	u.imap = true
	afterShift := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !u.shifted {
			if c < ' ' || c > '~' {
				return "", ErrUTF7
			}
			if c == '&' && afterShift && (i+1 == len(name) || name[i+1] != '-') {
				return "", ErrUTF7
			}
			afterShift = false
			dst = u.decode(dst, []byte{c})
			continue
		}
		if c == '-' {
			if u.nbits >= 6 || u.bits != 0 || u.high != 0 {
				return "", ErrUTF7
			}
			afterShift = !u.empty
			dst = u.decode(dst, []byte{c})
			continue
		}
		if imap64.value[c] >= 64 {
			return "", ErrUTF7
		}
		n := len(dst)
		dst = u.decode(dst, []byte{c})
		if r, size := utf8.DecodeRune(dst[n:]); size > 0 {
			if r == utf8.RuneError || ' ' <= r && r <= '~' {
				return "", ErrUTF7
			}
		}
	}
	if u.shifted {
		return "", ErrUTF7
	}
	return string(dst), nil
}

// EncodeUTF7 gives the modified UTF-7 form of a name in UTF-8. Octets that are
// not UTF-8 give ErrUTF7.
func EncodeUTF7(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", ErrUTF7
	}
	dst := make([]byte, 0, len(name)+8)
	bits, nbits, shifted := uint32(0), 0, false
	put := func(unit uint16) {
		bits, nbits = bits<<16|uint32(unit), nbits+16
		for nbits >= 6 {
			nbits -= 6
			dst = append(dst, imapAlphabet[bits>>nbits&63])
		}
		bits &= 1<<nbits - 1
	}
	unshift := func() {
		if nbits > 0 {
			dst = append(dst, imapAlphabet[bits<<(6-nbits)&63])
		}
		dst = append(dst, '-')
		bits, nbits, shifted = 0, 0, false
	}
	for _, r := range name {
		if ' ' <= r && r <= '~' {
			if shifted {
				unshift()
			}
			dst = append(dst, byte(r))
			if r == '&' {
				dst = append(dst, '-')
			}
			continue
		}
		if !shifted {
			dst, shifted = append(dst, '&'), true
		}
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			put(uint16(hi))
			put(uint16(lo))
		} else {
			put(uint16(r))
		}
	}
	if shifted {
		unshift()
	}
	return string(dst), nil
}
