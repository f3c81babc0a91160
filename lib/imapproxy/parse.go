package imapproxy

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// scanner reads the tokens of one answer.
type scanner struct{ b []byte }

// skip drops blanks.
func (s *scanner) skip() { s.b = bytes.TrimLeft(s.b, " ") }

// word reads up to a blank, a parenthesis or the end.
func (s *scanner) word() string {
	s.skip()
	i := 0
	for i < len(s.b) && s.b[i] > ' ' && s.b[i] != '(' && s.b[i] != ')' {
		i++
	}
	w := string(s.b[:i])
	s.b = s.b[i:]
	return w
}

// str reads an atom, a quoted string or a literal.
func (s *scanner) str() (string, bool) {
	s.skip()
	if len(s.b) == 0 {
		return "", false
	}
	switch s.b[0] {
	case '"':
		return s.quoted()
	case '{':
		i := bytes.IndexByte(s.b, '\n')
		if i < 0 {
			return "", false
		}
		n, _ := literalOf(s.b[:i+1])
		if n < 0 || n > int64(len(s.b)-i-1) {
			return "", false
		}
		text := string(s.b[i+1 : i+1+int(n)])
		s.b = s.b[i+1+int(n):]
		return text, true
	}
	w := s.word()
	return w, w != ""
}

func (s *scanner) quoted() (string, bool) {
	var out []byte
	for i := 1; i < len(s.b); i++ {
		switch c := s.b[i]; c {
		case '"':
			s.b = s.b[i+1:]
			return string(out), true
		case '\\':
			if i++; i == len(s.b) {
				return "", false
			}
			out = append(out, s.b[i])
		case '\r', '\n':
			return "", false
		default:
			out = append(out, c)
		}
	}
	return "", false
}

// list reads "(a b c)" without parentheses inside.
func (s *scanner) list() (string, bool) {
	s.skip()
	if len(s.b) == 0 || s.b[0] != '(' {
		return "", false
	}
	i := bytes.IndexByte(s.b, ')')
	if i < 0 {
		return "", false
	}
	text := string(s.b[1:i])
	s.b = s.b[i+1:]
	return text, true
}

// ListLine is one answer to LIST or LSUB.
type ListLine struct {
	Attrs []string
	Name  string
}

// ParseList reads one.
func ParseList(line []byte) (l ListLine, ok bool) {
	s := scanner{line}
	s.word() // *
	s.word() // LIST
	attrs, ok := s.list()
	if !ok {
		return l, false
	}
	if _, ok = s.str(); !ok { // separator
		return l, false
	}
	l.Attrs = strings.Fields(attrs)
	l.Name, ok = s.str()
	return l, ok
}

// Fetch is what an answer to FETCH (UID FLAGS INTERNALDATE) holds; what it does not
// is empty.
type Fetch struct {
	UID   uint32
	Flags string
	Date  string
}

// ParseFetch reads one. ok is false when it holds something else as well.
func ParseFetch(line []byte) (f Fetch, ok bool) {
	i := bytes.IndexByte(line, '(')
	if i < 0 {
		return f, false
	}
	s := scanner{line[i+1:]}
	for {
		switch name := s.word(); strings.ToUpper(name) {
		case "UID":
			n, err := strconv.ParseUint(s.word(), 10, 32)
			if err != nil {
				return f, false
			}
			f.UID = uint32(n)
		case "FLAGS":
			if f.Flags, ok = s.list(); !ok {
				return f, false
			}
		case "INTERNALDATE":
			if f.Date, ok = s.str(); !ok || strings.ContainsAny(f.Date, "\"\\\r\n") {
				return f, false
			}
		case "MODSEQ":
			if _, ok = s.list(); !ok {
				return f, false
			}
		case "":
			s.skip()
			return f, len(s.b) > 0 && s.b[0] == ')'
		default:
			return f, false
		}
	}
}

// Bodies reads the answer to UID FETCH (UID BODY.PEEK[]): for each message begin is
// asked where its octets go, nil for nowhere. An error of begin is returned when the
// answer has been read; until then octets go nowhere.
func (c *Conn) Bodies(tag string, relay *Relay, begin func(uid uint32, size int64) (io.Writer, error)) (Reply, error) {
	var failed error
	for {
		head, err := c.head()
		if err != nil {
			return Reply{}, err
		}
		if !is(head, "FETCH") {
			reply, done, err := c.one(tag, relay)
			if err == nil && !done {
				continue
			}
			if err == nil {
				err = failed
			}
			return reply, err
		}
		if err := c.body(relay, begin, &failed); err != nil {
			return Reply{}, err
		}
	}
}

// body reads one answer of Bodies.
func (c *Conn) body(relay *Relay, begin func(uid uint32, size int64) (io.Writer, error), failed *error) error {
	b, end, literal, err := c.part()
	if err != nil {
		return err
	}
	uid, isBody := bodyOf(b)
	if !isBody || !end || literal < 0 {
		return c.pass(b, end, literal, relay)
	}
	var w io.Writer
	if *failed == nil {
		w, *failed = begin(uid, literal)
	}
	err = c.octets(literal, func(p []byte) error {
		if w == nil || *failed != nil {
			return nil
		}
		_, *failed = w.Write(p)
		return nil
	})
	if err != nil {
		return err
	}
	if b, end, literal, err = c.part(); err != nil {
		return err
	}
	if !end || literal >= 0 || !bytes.HasPrefix(b, []byte(")")) {
		return c.fail(fmt.Errorf("%w: %.80q behind a message", ErrProtocol, b))
	}
	return nil
}

// bodyOf reads "* 3 FETCH (UID 7 BODY[] {123}".
func bodyOf(b []byte) (uid uint32, ok bool) {
	i := bytes.IndexByte(b, '(')
	if i < 0 {
		return 0, false
	}
	s := scanner{b[i+1:]}
	for {
		switch name := strings.ToUpper(s.word()); name {
		case "UID":
			n, err := strconv.ParseUint(s.word(), 10, 32)
			if err != nil {
				return 0, false
			}
			uid = uint32(n)
		case "FLAGS", "MODSEQ":
			if _, ok := s.list(); !ok {
				return 0, false
			}
		case "BODY[]":
			return uid, uid != 0
		default:
			return 0, false
		}
	}
}

// ParseMetadata reads the value of an answer to GETMETADATA that has one; ok is
// false when that is NIL.
func ParseMetadata(line []byte) (value string, ok bool) {
	i := bytes.IndexByte(line, '(')
	if i < 0 {
		return "", false
	}
	s := scanner{line[i+1:]}
	if _, ok = s.str(); !ok {
		return "", false
	}
	s.skip()
	isNil := bytes.HasPrefix(s.b, []byte("NIL"))
	value, ok = s.str()
	return value, ok && !isNil
}
