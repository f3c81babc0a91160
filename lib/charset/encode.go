package charset

// maxWordLine is the length of a line of encoded words after which a new line
// is begun.
const maxWordLine = 72

// EncodeHeader appends UTF-8 text to dst as encoded words of the Q encoding (RFC
// 2047 section 4.2), a line each. No character is cut in two.
func EncodeHeader(dst, s []byte) []byte {
	const hex = "0123456789ABCDEF"
	const start = "=?UTF-8?Q?"
	dst = append(dst, start...)
	n := len(start)
	for i := 0; i < len(s); i++ {
		c := s[i]
		more := 0 // what the rest of the character will take
		switch {
		case c >= 0xf0 && c < 0xf8:
			more = 9
		case c >= 0xe0 && c < 0xf0:
			more = 6
		case c >= 0xc0 && c < 0xe0:
			more = 3
		}
		if n+more >= maxWordLine {
			dst = append(dst, "?=\r\n "+start...)
			n = len(start) + 1
		}
		switch {
		case c == ' ':
			dst = append(dst, '_')
			n++
		case c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_':
			dst = append(dst, c)
			n++
		default:
			dst = append(dst, '=', hex[c>>4], hex[c&15])
			n += 3
		}
	}
	return append(dst, "?="...)
}

// DecodeExtended gives the UTF-8 text of a parameter value in the extended form
// of RFC 2231 section 4, charset'language'text. ok is false if it is not in that
// form or the character set not known.
func DecodeExtended(v []byte) (text []byte, ok bool) {
	q1 := -1
	q2 := -1
	for i, c := range v {
		if c != '\'' {
			continue
		}
		if q1 < 0 {
			q1 = i
			continue
		}
		q2 = i
		break
	}
	if q2 < 0 {
		return nil, false
	}
	cs := LookupBytes(v[:q1])
	if cs == nil {
		return nil, false
	}
	raw := make([]byte, 0, len(v)-q2)
	for i := q2 + 1; i < len(v); i++ {
		if v[i] != '%' {
			raw = append(raw, v[i])
			continue
		}
		if i+2 >= len(v) || unhex[v[i+1]] > 15 || unhex[v[i+2]] > 15 {
			return nil, false
		}
		raw = append(raw, unhex[v[i+1]]<<4|unhex[v[i+2]])
		i += 2
	}
	return cs.ToUTF8(nil, raw), true
}
