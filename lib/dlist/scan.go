// Package dlist reads and writes the one-line trees of Cyrus: database values,
// cyrus.header, the sync protocol.
//
//	atom  "quoted"  {3}CRLF...  NIL  (a b c)  %(KEY value KEY value)
//
// An atom is text that needs no quotes; a list holds values, a keyed list keys
// and values in turn. Scanner goes over one without keeping anything; Parse
// makes a tree of it. The sync protocol has files besides, %{partition id size}
// with the octets behind: a Scanner reads the head of one that stands for a file
// kept elsewhere, a tree has none.
//
// The package knows no keys and no meanings. Form: lib/dlist.c of Cyrus 3.10.
package dlist

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrSyntax is the error of octets that are no dlist.
var ErrSyntax = errors.New("malformed dlist")

const (
	// maxAtom is the length from which Cyrus writes a literal.
	maxAtom = 1024
	// MaxDepth bounds nesting, in lists within lists.
	MaxDepth = 64
)

// Kind is what a value is.
type Kind uint8

const (
	Nil   Kind = iota // NIL
	Text              // atom, quoted string or literal
	List              // ( ... )
	Keyed             // %( ... )
	File              // %{ ... }
)

// Scanner goes over octets from left to right. Its methods return ErrSyntax,
// with the offset, when something else stands there.
type Scanner struct {
	b   []byte
	pos int
}

// Scan returns a Scanner at the start of b.
func Scan(b []byte) Scanner { return Scanner{b: b} }

// Pos is how many octets are behind the scanner.
func (s *Scanner) Pos() int { return s.pos }

// Rest is what is before the scanner.
func (s *Scanner) Rest() []byte { return s.b[s.pos:] }

// AtEnd says whether nothing is left.
func (s *Scanner) AtEnd() bool { return s.pos >= len(s.b) }

func (s *Scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at octet %d", ErrSyntax, what, s.pos)
}

// Kind says what stands next.
func (s *Scanner) Kind() (Kind, error) {
	if s.AtEnd() {
		return Nil, s.fail("end of data")
	}
	switch c := s.b[s.pos]; {
	case c == '(':
		return List, nil
	case c == '%' && s.pos+1 < len(s.b) && s.b[s.pos+1] == '{':
		return File, nil
	case c == '%':
		return Keyed, nil
	case s.nilNext():
		return Nil, nil
	}
	return Text, nil
}

// Open enters the list that stands next.
func (s *Scanner) Open() (keyed bool, err error) {
	start := s.pos
	if s.pos < len(s.b) && s.b[s.pos] == '%' {
		keyed = true
		s.pos++
	}
	if s.pos >= len(s.b) || s.b[s.pos] != '(' {
		s.pos = start
		return false, s.fail("no list")
	}
	s.pos++
	return keyed, nil
}

// Close leaves a list when it ends here, and says so. Otherwise a value stands
// next, or, in a keyed list, a key.
func (s *Scanner) Close() bool {
	if s.pos < len(s.b) && s.b[s.pos] == ')' {
		s.pos++
		s.space()
		return true
	}
	return false
}

// space skips the separator after an item.
func (s *Scanner) space() {
	if s.pos < len(s.b) && s.b[s.pos] == ' ' {
		s.pos++
	}
}

// Text returns the text that stands next, nil for NIL. It is a part of what is
// scanned, unless escapes had to be resolved.
func (s *Scanner) Text() ([]byte, error) {
	if s.AtEnd() {
		return nil, s.fail("end of data")
	}
	switch s.b[s.pos] {
	case '"':
		return s.quoted()
	case '{':
		return s.literal()
	}
	end := atomEnd(s.b, s.pos)
	if end == s.pos {
		return nil, s.fail("no text")
	}
	t := s.b[s.pos:end]
	s.pos = end
	s.space()
	if isNil(t) {
		return nil, nil
	}
	return t, nil
}

func (s *Scanner) quoted() ([]byte, error) {
	start := s.pos + 1
	var plain []byte // with escapes resolved
	for i := start; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			if plain == nil {
				plain = append(make([]byte, 0, len(s.b)-start), s.b[start:i]...)
			}
			if i++; i < len(s.b) {
				plain = append(plain, s.b[i])
			}
		case '"':
			s.pos = i + 1
			s.space()
			if plain != nil {
				return plain, nil
			}
			return s.b[start:i:i], nil
		default:
			if plain != nil {
				plain = append(plain, s.b[i])
			}
		}
	}
	return nil, s.fail("quoted string without end")
}

func (s *Scanner) literal() ([]byte, error) {
	i := s.pos + 1
	for i < len(s.b) && s.b[i] >= '0' && s.b[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(string(s.b[s.pos+1 : i]))
	if i < len(s.b) && s.b[i] == '+' {
		i++
	}
	if err != nil || i+3 > len(s.b) || string(s.b[i:i+3]) != "}\r\n" || n > len(s.b)-i-3 {
		return nil, s.fail("bad literal")
	}
	t := s.b[i+3 : i+3+n : i+3+n]
	s.pos = i + 3 + n
	s.space()
	return t, nil
}

// Skip passes over the value that stands next, whatever it is.
func (s *Scanner) Skip() error { return s.skip(0) }

func (s *Scanner) skip(depth int) error {
	kind, err := s.Kind()
	switch {
	case err != nil:
		return err
	case depth > MaxDepth:
		return s.fail("too deep")
	case kind != List && kind != Keyed:
		return s.skipLeaf(kind)
	}
	keyed, err := s.Open()
	for err == nil && !s.Close() {
		if keyed {
			_, err = s.Text()
		}
		if err == nil {
			err = s.skip(depth + 1)
		}
	}
	return err
}

func (s *Scanner) skipLeaf(kind Kind) error {
	if kind == File {
		_, err := s.File()
		return err
	}
	_, err := s.Text()
	return err
}

// Word returns the atom or string that stands next, and takes NIL for a word: a
// flag may be called so.
func (s *Scanner) Word() ([]byte, error) {
	if s.nilNext() {
		t := s.b[s.pos : s.pos+3]
		s.pos += 3
		s.space()
		return t, nil
	}
	return s.Text()
}

// FileHead says which file stands at a place: a text each, as written.
type FileHead struct{ Partition, ID, Size []byte }

// File returns the head of the file that stands next.
func (s *Scanner) File() (h FileHead, err error) {
	start := s.pos
	if s.pos+2 > len(s.b) || string(s.b[s.pos:s.pos+2]) != "%{" {
		return h, s.fail("no file")
	}
	s.pos += 2
	if h.Partition, err = s.Text(); err == nil {
		h.ID, err = s.Text()
	}
	end := s.pos
	for end < len(s.b) && s.b[end] >= '0' && s.b[end] <= '9' {
		end++
	}
	if err != nil || end == s.pos || end >= len(s.b) || s.b[end] != '}' {
		s.pos = start
		return h, s.fail("bad file")
	}
	h.Size = s.b[s.pos:end]
	s.pos = end + 1
	s.space()
	return h, nil
}

// Uint returns the decimal number that stands next, 0 for NIL.
func (s *Scanner) Uint() (uint64, error) {
	t, err := s.Text()
	if err != nil || t == nil {
		return 0, err
	}
	var n uint64
	for _, c := range t {
		d := uint64(c - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, s.fail("no number")
		}
		n = n*10 + d
	}
	if len(t) == 0 {
		return 0, s.fail("no number")
	}
	return n, nil
}

// atomEnd is lenient: whatever no structure begins with or ends at belongs to
// the atom, as Cyrus's parser has it.
func atomEnd(b []byte, i int) int {
	for i < len(b) && !endsAtom[b[i]] {
		i++
	}
	return i
}

var endsAtom = [256]bool{' ': true, '(': true, ')': true, '\r': true, '\n': true}

// nilNext says whether NIL stands next.
func (s *Scanner) nilNext() bool {
	return s.pos < len(s.b) && s.b[s.pos] == 'N' && isNil(s.b[s.pos:atomEnd(s.b, s.pos)])
}

// isNil: only in capitals, so that a text "nil" needs no quotes.
func isNil(b []byte) bool { return string(b) == "NIL" }
