package mailsort

import (
	"bytes"
	"strconv"
)

// nstring is the text of an item of the cache that holds one string of the
// protocol; ok is false for NIL.
func nstring(b []byte) (text []byte, ok bool) {
	text, _, ok = nextString(b)
	return text, ok
}

// nextString reads the string, or NIL, that b begins with.
func nextString(b []byte) (text, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return nil, nil, false
	case b[0] == '"':
		text, rest = quoted(b)
		return text, rest, true
	case b[0] == '{':
		head, body, found := bytes.Cut(b[1:], []byte("}\r\n"))
		n, err := strconv.ParseUint(string(head), 10, 32)
		if !found || err != nil || n > uint64(len(body)) {
			return nil, nil, false
		}
		return body[:n], body[n:], true
	}
	i := bytes.IndexAny(b, " ()")
	if i < 0 {
		i = len(b)
	}
	return nil, b[i:], false
}

// Fields of an envelope (RFC 9051 section 7.5.2).
const (
	envInReplyTo = 8
	envMessageID = 9
	envFields    = 10
)

// envelope splits the text of an envelope into strings. Lists of addresses are
// passed over, and have no text.
func envelope(b []byte) (fields [envFields][]byte) {
	if len(b) == 0 || b[0] != '(' {
		return fields
	}
	b = b[1:]
	for i := range fields {
		if len(b) > 0 && b[0] == '(' {
			b = afterList(b)
		} else {
			fields[i], b, _ = nextString(b)
		}
		if len(b) == 0 || b[0] != ' ' {
			return fields
		}
		b = b[1:]
	}
	return fields
}

// afterList is what follows the list that b begins with.
func afterList(b []byte) []byte {
	depth := 0
	for len(b) > 0 {
		switch b[0] {
		case '(':
			depth++
			b = b[1:]
		case ')':
			depth--
			b = b[1:]
			if depth == 0 {
				return b
			}
		case ' ':
			b = b[1:]
		default:
			_, b, _ = nextString(b)
		}
	}
	return nil
}

// nextID reads the next message id of a field: what stands in angle brackets,
// without white space and without the quotes that an odd local part may have
// (RFC 5256 section 2.2 compares ids so). rest is nil after the last.
func nextID(b []byte) (id string, rest []byte) {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return "", nil
		}
		b = b[i+1:]
		out, n := make([]byte, 0, 64), 0
		inQuotes := false
	scan:
		for n < len(b) {
			c := b[n]
			switch {
			case c == '\\' && inQuotes && n+1 < len(b):
				n++
				out = append(out, b[n])
			case c == '"':
				inQuotes = !inQuotes
			case c == '>' && !inQuotes:
				break scan
			case inQuotes || !isSpace(c):
				out = append(out, c)
			}
			n++
		}
		if n == len(b) {
			return "", nil // no end: none
		}
		b = b[n+1:]
		if len(out) > 0 {
			return string(out), b
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
