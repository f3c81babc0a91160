package mailsort

import (
	"bytes"
	"strings"
)

// BaseSubject is what RFC 5256 section 2.1 leaves of a decoded subject, ASCII
// letters in upper case, and whether anything said that the message is a reply
// or a forward. "Re:", "Fw:" and "Fwd:" go from the front, with a [blob] between
// word and colon; so do blobs in front of a text that is not empty, "(fwd)" at
// the end, and the brackets of "[Fwd: ...]".
func BaseSubject(s []byte) (base string, reply bool) {
	for {
		var more bool
		s, more = trimSubject(s)
		reply = reply || more
		if len(s) < 6 || !hasPrefixFold(s, "[fwd:") || s[len(s)-1] != ']' {
			return upper(s), reply
		}
		s, reply = s[5:len(s)-1], true
	}
}

// trimSubject takes away what stands around the base.
func trimSubject(s []byte) (rest []byte, reply bool) {
	for {
		s = bytes.TrimRight(s, space)
		if len(s) < 5 || !bytes.EqualFold(s[len(s)-5:], []byte("(fwd)")) {
			break
		}
		s, reply = s[:len(s)-5], true
	}
	for {
		s = bytes.TrimLeft(s, space)
		if rest, ok := trimReply(s); ok {
			s, reply = rest, true
			continue
		}
		rest, ok := trimBlob(s)
		if !ok || len(rest) == 0 {
			return s, reply
		}
		s = rest
	}
}

const space = " \t\r\n\v\f"

// trimReply takes "Re:", "Fwd [x] :" and the like from the front.
func trimReply(s []byte) (rest []byte, ok bool) {
	switch {
	case hasPrefixFold(s, "re"), hasPrefixFold(s, "fw") && !hasPrefixFold(s, "fwd"):
		s = s[2:]
	case hasPrefixFold(s, "fwd"):
		s = s[3:]
	default:
		return nil, false
	}
	s = bytes.TrimLeft(s, space)
	if len(s) > 0 && s[0] == '[' {
		i := bytes.IndexByte(s, ']')
		if i < 0 {
			return nil, false
		}
		s = bytes.TrimLeft(s[i+1:], space)
	}
	if len(s) == 0 || s[0] != ':' {
		return nil, false
	}
	return s[1:], true
}

// trimBlob takes "[x]" from the front; blobs do not nest.
func trimBlob(s []byte) (rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '[' {
		return nil, false
	}
	i := bytes.IndexAny(s[1:], "[]")
	if i < 0 || s[1+i] != ']' {
		return nil, false
	}
	return s[i+2:], true
}

func hasPrefixFold(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(string(s[:len(prefix)]), prefix)
}

// upper is s with the letters of ASCII in upper case.
func upper(s []byte) string {
	b := make([]byte, len(s))
	for i, c := range s {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		b[i] = c
	}
	return string(b)
}
