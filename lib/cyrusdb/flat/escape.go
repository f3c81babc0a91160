package flat

import "bytes"

// escape appends b with what would end a key, a value or a line replaced: NUL,
// TAB, CR and LF become FF and the octet with its high bit set, FF two of it.
func escape(dst, b []byte) []byte {
	for _, c := range b {
		switch c {
		case 0, '\t', '\r', '\n':
			dst = append(dst, 0xff, c|0x80)
		case 0xff:
			dst = append(dst, 0xff, 0xff)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unescape returns what escape was given; b itself when nothing is escaped. An
// FF that nothing of escape's follows stands for itself.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, 0xff) < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == 0xff && i+1 < len(b) {
			switch next := b[i+1]; next {
			case 0x80, '\t' | 0x80, '\r' | 0x80, '\n' | 0x80:
				c = next &^ 0x80
				i++
			case 0xff:
				i++
			}
		}
		out = append(out, c)
	}
	return out
}

// order is the place of each octet of an escaped key: "." before all others, so
// that a mailbox's children follow it (bsearch_compare_mbox of Cyrus's
// lib/bsearch.c).
var order = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for i := 1; i <= 8; i++ {
		t[i] = byte(i + 2)
	}
	t['\t'], t['\n'], t['.'] = 1, 1, 2
	return t
}()

// compareEscaped is the order of lines in the file.
func compareEscaped(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int(order[a[i]]) - int(order[b[i]])
		}
	}
	return len(a) - len(b)
}

// Compare is the order of keys.
func Compare(a, b []byte) int { return compareEscaped(escape(nil, a), escape(nil, b)) }
