package smtpwire

import (
	"bytes"
	"errors"
)

// ErrAddress is the error of a path that is none.
var ErrAddress = errors.New("bad address")

// Path reads the path at the start of b, "<alice@example.org>" with its angle
// brackets, a source route and a quoted local part included (RFC 5321 section
// 4.1.2). rest begins behind it: it is empty or begins with a space. As in
// Cyrus, a domain is letters, digits, dots and hyphens, or digits and dots in
// brackets. With mask, octets of 8 bits in a local part become "X"; without,
// they are an error (option lmtp_strict_rfc2821).
func Path(b []byte, mask bool) (path, rest []byte, err error) {
	s := scanner{b: bytes.Clone(b), mask: mask}
	if !s.path() {
		return nil, nil, ErrAddress
	}
	return s.b[:s.i:s.i], b[s.i:], nil
}

// scanner walks over a path; each method says whether what it looks for is
// there.
type scanner struct {
	b    []byte
	i    int
	mask bool
}

// at is the next octet, 0 at the end.
func (s *scanner) at() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// take passes over an octet that must be c.
func (s *scanner) take(c byte) bool {
	if s.i >= len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

func (s *scanner) path() bool {
	if !s.take('<') {
		return false
	}
	for s.at() == '@' {
		if !s.domain() {
			return false
		}
		switch {
		case s.at() == ',' && s.peek(1) == '@', s.at() == ':' && s.peek(1) != '@':
			s.i++
		default:
			return false
		}
	}
	local := s.local
	if s.at() == '"' {
		local = s.quoted
	}
	if !local() {
		return false
	}
	if s.at() == '@' && !s.domain() {
		return false
	}
	return s.take('>') && (s.i == len(s.b) || s.at() == ' ')
}

func (s *scanner) peek(n int) byte {
	if s.i+n < len(s.b) {
		return s.b[s.i+n]
	}
	return 0
}

// domain passes over "@" and a domain, which may be empty.
func (s *scanner) domain() bool {
	s.i++
	if s.at() == '[' {
		s.i++
		for c := s.at(); c >= '0' && c <= '9' || c == '.'; c = s.at() {
			s.i++
		}
		return s.take(']')
	}
	for c := s.at(); isAlnum(c) || c == '.' || c == '-'; c = s.at() {
		s.i++
	}
	return true
}

func (s *scanner) quoted() bool {
	s.i++
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '"':
			s.i++
			return true
		case '\\':
			s.i++
		}
	}
	return false
}

func (s *scanner) local() bool {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '@' || c == '>':
			return true
		case c == '\\':
			s.i++
		case c >= 0x80 && s.mask:
			s.b[s.i] = 'X'
		case c <= ' ' || c >= 0x80 || bytes.IndexByte([]byte(`<()[],;:"`), c) >= 0:
			return false
		}
	}
	return false
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// Mailbox is the address of a path: without angle brackets and source route.
func Mailbox(path []byte) []byte {
	b := bytes.TrimSuffix(bytes.TrimPrefix(path, []byte("<")), []byte(">"))
	if len(b) > 0 && b[0] == '@' {
		if _, after, ok := bytes.Cut(b, []byte(":")); ok {
			return after
		}
	}
	return b
}

// XText reads the value of AUTH (RFC 4954 section 5): "+" and two hexadecimal
// digits stand for an octet, "<>" for nobody. rest begins behind it. The value
// is empty when it is nobody or cannot be read.
func XText(b []byte) (value, rest []byte) {
	end := bytes.IndexByte(b, ' ')
	if end < 0 {
		end = len(b)
	}
	word, rest := b[:end], b[end:]
	word = bytes.TrimPrefix(word, []byte("<"))
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c == '+' {
			if i+2 >= len(word) {
				return nil, rest
			}
			hi, lo := unhex(word[i+1]), unhex(word[i+2])
			if hi > 15 || lo > 15 {
				return nil, rest
			}
			c = hi<<4 | lo
			i += 2
		} else if c < '!' || c > '~' || c == '=' {
			return nil, rest
		}
		value = append(value, c)
	}
	return bytes.TrimSuffix(value, []byte(">")), rest
}

// unhex is the value of a digit as xtext has them, more than 15 for another
// octet.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
