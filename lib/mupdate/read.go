package mupdate

import (
	"errors"
	"fmt"
	"io"
)

// Source is buffered input, such as *bufio.Reader and *prot.Conn.
type Source interface {
	io.Reader
	io.ByteScanner
}

// Limits bound what a peer may send, in octets.
type Limits struct {
	Word    int // a tag or a word, and the text of an answer
	Quoted  int
	Literal int
}

// ErrTooLong is the error of a peer that goes beyond a limit. The stream is no
// longer in step.
var ErrTooLong = errors.New("too long")

// Syntax errors of a command. The line has been read to its end, and the stream
// is in step: the next line may be good.
var (
	ErrNeedCommand = errors.New("need command")
	ErrNullCommand = errors.New("null command")
	ErrMissing     = errors.New("missing arguments")
	ErrExtra       = errors.New("extra arguments")
	ErrBadArgs     = errors.New("badly formed arguments")
)

// Reader reads lines. It serves one goroutine.
type Reader struct {
	src     Source
	lim     Limits
	goAhead func() error
	sep     byte // the octet that ended the last word or string; 0 for none
	buf     []byte
	tag     string // of the last answer

	places map[string]string // locations, of which many entries have the same
}

// NewReader returns a reader of src. goAhead is called before a literal whose
// sender waits for it; nil reads at once, as Cyrus reads from its master.
func NewReader(src Source, lim Limits, goAhead func() error) *Reader {
	return &Reader{src: src, lim: lim, goAhead: goAhead}
}

// Release lets go of a buffer that has grown, before a long wait.
func (r *Reader) Release() {
	if cap(r.buf) > 1024 {
		r.buf = nil
	}
}

// wordEnd are the octets that end a word.
var wordEnd = func() (t [256]bool) {
	for _, c := range " \t\r\n\v\f()\"" {
		t[c] = true
	}
	return t
}()

// word reads up to an octet that ends words, which is consumed and kept in sep.
func (r *Reader) word() ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return nil, unexpected(err, len(r.buf) > 0)
		}
		if wordEnd[c] {
			r.sep = c
			return r.buf, nil
		}
		if len(r.buf) >= r.lim.Word {
			return nil, fmt.Errorf("word: %w", ErrTooLong)
		}
		r.buf = append(r.buf, c)
	}
}

// unexpected makes an end inside a line an error of its own.
func unexpected(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// str reads a string. ok is false for what is none, sep is the octet after it.
// What it returns is good until the next read.
func (r *Reader) str() (s []byte, ok bool, err error) {
	r.buf, r.sep = r.buf[:0], 0
	c, err := r.src.ReadByte()
	if err != nil {
		return nil, false, unexpected(err, true)
	}
	switch c {
	case '"':
		ok, err = r.quoted()
	case '{':
		ok, err = r.literal()
	default:
		return nil, false, r.src.UnreadByte()
	}
	if !ok || err != nil {
		return nil, false, unexpected(err, true)
	}
	r.sep, err = r.src.ReadByte()
	return r.buf, true, unexpected(err, true)
}

func (r *Reader) quoted() (bool, error) {
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return false, err
		}
		switch c {
		case '"':
			return true, nil
		case '\\':
			if c, err = r.src.ReadByte(); err != nil {
				return false, err
			}
		}
		if c == '\r' || c == '\n' || c == 0 {
			return false, r.src.UnreadByte()
		}
		if len(r.buf) >= r.lim.Quoted {
			return false, fmt.Errorf("quoted string: %w", ErrTooLong)
		}
		r.buf = append(r.buf, c)
	}
}

// literal reads a literal behind its brace. One with NULs is read, and no string,
// as a quoted one is none.
func (r *Reader) literal() (bool, error) {
	n, waits, ok, err := r.literalHead()
	if err != nil || !ok {
		return false, err
	}
	if n > r.lim.Literal {
		return false, fmt.Errorf("literal of %d octets: %w", n, ErrTooLong)
	}
	if waits && r.goAhead != nil {
		if err := r.goAhead(); err != nil {
			return false, err
		}
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.src, r.buf); err != nil {
		return false, err
	}
	for _, c := range r.buf {
		if c == 0 {
			return false, nil
		}
	}
	return true, nil
}

// maxDigits is how many digits a size may have; more would be too long anyway.
const maxDigits = 9

// literalHead reads "5}" or "5+}" and the line end. waits says that it was
// without the plus.
func (r *Reader) literalHead() (n int, waits, ok bool, err error) {
	digits := 0
	waits = true
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return 0, false, false, err
		}
		switch {
		case c >= '0' && c <= '9' && waits:
			if digits++; digits > maxDigits {
				return 0, false, false, fmt.Errorf("literal: %w", ErrTooLong)
			}
			n = 10*n + int(c-'0')
		case c == '+' && waits && digits > 0:
			waits = false
		case c == '}' && digits > 0:
			ok, err = r.lineEnd()
			return n, waits, ok, err
		default:
			return 0, false, false, r.src.UnreadByte()
		}
	}
}

// lineEnd reads a line end, with or without CR.
func (r *Reader) lineEnd() (bool, error) {
	c, err := r.src.ReadByte()
	if err == nil && c == '\r' {
		c, err = r.src.ReadByte()
	}
	if err != nil {
		return false, err
	}
	if c != '\n' {
		return false, r.src.UnreadByte()
	}
	return true, nil
}

// newline says whether the line ends where the last word or string did.
func (r *Reader) newline() (bool, error) {
	if r.sep == '\r' {
		c, err := r.src.ReadByte()
		if err != nil {
			return false, unexpected(err, true)
		}
		r.sep = c
	}
	return r.sep == '\n', nil
}

// EatLine reads what is left of a line, with the literals in it whose sender
// does not wait.
func (r *Reader) EatLine() error {
	budget := r.lim.Literal + r.lim.Quoted + r.lim.Word
	var size literalScan
	for r.sep != '\n' {
		c, err := r.src.ReadByte()
		if err != nil {
			return unexpected(err, true)
		}
		if budget--; budget < 0 {
			return fmt.Errorf("line: %w", ErrTooLong)
		}
		r.sep = c
		if n := size.next(c); n >= 0 {
			if budget -= n; budget < 0 {
				return fmt.Errorf("literal: %w", ErrTooLong)
			}
			if err := r.discard(n); err != nil {
				return err
			}
			r.sep = 0
		}
	}
	r.sep = 0
	return nil
}

func (r *Reader) discard(n int) error {
	r.buf = r.buf[:0]
	var chunk [4096]byte
	for n > 0 {
		got, err := r.src.Read(chunk[:min(n, len(chunk))])
		n -= got
		if err != nil && n > 0 {
			return unexpected(err, true)
		}
	}
	return nil
}

// literalScan finds "{5+}" at the end of a line.
type literalScan struct {
	n     int
	state byte // the last octet of what is a head so far; 0 outside of one
}

// next takes the line's next octet, and returns the size of the literal that
// follows it, -1 for none.
func (s *literalScan) next(c byte) int {
	was := s.state
	s.state = 0
	switch {
	case c == '{':
		s.n, s.state = 0, '{'
	case c >= '0' && c <= '9' && (was == '{' || was == '0') && s.n < 1e8:
		s.n, s.state = 10*s.n+int(c-'0'), '0'
	case c == '+' && was == '0', c == '}' && was == '+', c == '\r' && was == '}':
		s.state = c
	case c == '\n' && (was == '}' || was == '\r'):
		return s.n
	}
	return -1
}
