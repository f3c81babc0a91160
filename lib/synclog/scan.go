package synclog

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"gocyrus/lib/log"
)

// entry is a line as it was read: a word in upper case, and one argument or two.
type entry struct {
	word string
	arg  [2]string
}

// maxWord is the longest word or argument, in octets, that is read: Cyrus's
// maxword, maxquoted and maxliteral by default.
const maxWord = 128 << 10

// The reasons why a line is skipped, in Cyrus's words.
var (
	errInvalid = errors.New("Invalid input")                //lint:ignore ST1005 see above
	errGarbage = errors.New("Garbage at end of input line") //lint:ignore ST1005 see above
)

// scanner reads the lines of a log:
//
//	line = word SP astring [SP astring] [CR] LF
//
// A line of a word alone is skipped, one that is none is logged and skipped, and the
// last line may lack its end when its writer was killed: it is skipped too.
type scanner struct {
	in  *bufio.Reader
	buf []byte
	bol bool // at the beginning of a line
	end error
}

// scan calls fn for each line. The error is that of reading.
func scan(r io.Reader, fn func(entry)) error {
	s := &scanner{in: bufio.NewReaderSize(r, 64<<10), bol: true}
	for {
		e, err := s.next()
		if s.end != nil {
			break
		}
		if err != nil {
			log.Err("%v", err)
			s.eat()
			continue
		}
		if e.word != "" {
			fn(e)
		}
	}
	if s.end == io.EOF {
		return nil
	}
	return s.end
}

// next reads a line; the word is empty when it had no argument.
func (s *scanner) next() (e entry, err error) {
	word := s.word(nil)
	c := s.get()
	if c == '\r' {
		c = s.get()
	}
	if c == '\n' {
		return entry{}, nil
	}
	if c != ' ' || len(word) > maxWord {
		return entry{}, errInvalid
	}
	e.word = strings.ToUpper(string(word))
	if e.arg[0], err = s.astring(); err != nil {
		return e, err
	}
	if c = s.get(); c == ' ' {
		if e.arg[1], err = s.astring(); err != nil {
			return e, err
		}
		c = s.get()
	}
	if c == '\r' {
		c = s.get()
	}
	if c != '\n' {
		return e, errGarbage
	}
	return e, nil
}

// get reads an octet; 0 at the end, when s.end is set.
func (s *scanner) get() byte {
	c, err := s.in.ReadByte()
	if err != nil {
		s.end = err
		return 0
	}
	s.bol = c == '\n'
	return c
}

// back undoes get.
func (s *scanner) back() {
	if s.end == nil && s.in.UnreadByte() == nil {
		s.bol = false
	}
}

// eat skips the rest of the line.
func (s *scanner) eat() {
	for s.end == nil && !s.bol {
		s.get()
	}
}

// word reads up to white space, a parenthesis or a quote, one octet too long at the
// most.
func (s *scanner) word(b []byte) []byte {
	if b == nil {
		b = s.buf[:0]
	}
	for len(b) <= maxWord {
		c := s.get()
		if s.end != nil {
			break
		}
		if strings.IndexByte(" \t\r\n\v\f()\"", c) >= 0 {
			s.back()
			break
		}
		b = append(b, c)
	}
	s.buf = b
	return b
}

// astring reads an argument.
func (s *scanner) astring() (string, error) {
	switch c := s.get(); {
	case s.end != nil:
		return "", errInvalid
	case c == '"':
		return s.quoted()
	case c == '{':
		return s.literal()
	case strings.IndexByte(" \t\r\n\v\f()", c) >= 0:
		return "", errInvalid
	default:
		s.back()
		b := s.word(nil)
		return checked(b)
	}
}

func (s *scanner) quoted() (string, error) {
	b := s.buf[:0]
	for {
		c := s.get()
		if c == '"' {
			break
		}
		if c == '\\' {
			c = s.get()
		}
		if s.end != nil || c == '\n' || len(b) > maxWord {
			return "", errInvalid
		}
		b = append(b, c)
	}
	s.buf = b
	return checked(b)
}

// literal reads {n} or {n+}, a line feed, and n octets.
func (s *scanner) literal() (string, error) {
	n := 0
	c := s.get()
	for ; c >= '0' && c <= '9' && n <= maxWord; c = s.get() {
		n = 10*n + int(c-'0')
	}
	if c == '+' {
		c = s.get()
	}
	if c != '}' || n > maxWord {
		return "", errInvalid
	}
	if c = s.get(); c == '\r' {
		c = s.get()
	}
	if c != '\n' {
		return "", errInvalid
	}
	b := s.buf[:0]
	for range n {
		if c = s.get(); s.end != nil {
			return "", errInvalid
		}
		b = append(b, c)
	}
	s.buf, s.bol = b, false
	return checked(b)
}

// checked refuses what no name holds and no line could be made of again.
func checked(b []byte) (string, error) {
	if len(b) > maxWord {
		return "", errInvalid
	}
	for _, c := range b {
		if c == 0 || c == '\r' || c == '\n' {
			return "", errInvalid
		}
	}
	return string(b), nil
}
