package csync

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"gocyrus/lib/dlist"
	"gocyrus/lib/guid"
	"gocyrus/lib/prot"
)

// Limits bound what one command or answer may need of memory, in octets.
type Limits struct {
	Literal int64 // one literal (maxliteral)
	Quoted  int   // one quoted string (maxquoted)
	Word    int   // one atom (maxword)
	Total   int64 // all of it, files left out; for a client also all items of an answer
}

// DefaultLimits are Cyrus's, and a total that has room for a mailbox of a million
// messages.
var DefaultLimits = Limits{Literal: 128 << 10, Quoted: 128 << 10, Word: 128 << 10, Total: 512 << 20}

// FileFunc takes the octets of a file as they come. What it leaves unread is
// passed over.
type FileFunc func(f FileLiteral, r io.Reader) error

// FileLiteral is the head of a file.
type FileLiteral struct {
	Partition string
	GUID      guid.GUID
	Size      uint32
}

// AppendHead appends what stands before the octets.
func (f *FileLiteral) AppendHead(dst []byte, form Form) []byte {
	dst = f.appendMark(dst, form)
	return append(dst, "\r\n"...)
}

func (f *FileLiteral) appendMark(dst []byte, form Form) []byte {
	dst = form.AppendString(append(dst, "%{"...), f.Partition)
	dst = f.GUID.AppendHex(append(dst, ' '))
	return append(strconv.AppendUint(append(dst, ' '), uint64(f.Size), 10), '}')
}

// errSyntax is what is no sync protocol: the line is eaten, the session goes on.
var errSyntax = fmt.Errorf("%w: malformed line", ErrProtocol)

// lexer reads one value and writes it in normal form to buf.
type lexer struct {
	src    Source
	limits Limits
	peer   Form // who writes
	files  FileFunc

	buf     []byte
	fileErr error // of files
}

// value reads the value that begins with c.
func (l *lexer) value(c byte, depth int) error {
	switch c {
	case '(':
		return l.list(depth, false)
	case '%':
		return l.percent(depth)
	}
	return l.astring(c)
}

// astring reads the text that begins with c, and nothing else.
func (l *lexer) astring(c byte) error {
	switch c {
	case '"':
		return l.quoted()
	case '{':
		return l.literal()
	}
	return l.atom(c)
}

func (l *lexer) percent(depth int) error {
	switch c, err := l.src.ReadByte(); {
	case err != nil:
		return err
	case c == '(':
		return l.list(depth, true)
	case c == '{':
		return l.file()
	}
	return l.unread()
}

// unread leaves the octet just read to whoever eats the line.
func (l *lexer) unread() error {
	l.src.UnreadByte()
	return errSyntax
}

// list reads up to the parenthesis that closes the one just read.
func (l *lexer) list(depth int, keyed bool) error {
	if depth >= dlist.MaxDepth {
		return errSyntax
	}
	if keyed {
		l.buf = append(l.buf, '%')
	}
	l.buf = append(l.buf, '(')
	for empty := true; ; empty = false {
		c, err := l.afterSpace()
		if err != nil {
			return err
		}
		if c == ')' {
			l.buf = append(l.buf, c)
			return nil
		}
		if !empty {
			l.buf = append(l.buf, ' ')
		}
		if keyed {
			if c, err = l.pairKey(c); err != nil {
				return err
			}
		}
		if err := l.value(c, depth+1); err != nil {
			return err
		}
		if err := l.room(0); err != nil {
			return err
		}
	}
}

// afterSpace passes over white space and reads what comes then.
func (l *lexer) afterSpace() (byte, error) {
	for {
		if c, err := l.src.ReadByte(); err != nil || !isSpace(c) {
			return c, err
		}
	}
}

// pairKey reads the key that begins with c, and what its value begins with.
func (l *lexer) pairKey(c byte) (byte, error) {
	if err := l.astring(c); err != nil {
		return 0, err
	}
	l.buf = append(l.buf, ' ')
	c, err := l.afterSpace()
	if err == nil && c == ')' {
		err = l.unread()
	}
	return c, err
}

// atom reads the atom that begins with c. What ends it is left: if it is NUL, it
// is neither space nor the start of anything.
func (l *lexer) atom(c byte) error {
	if atomStop[c] {
		return l.unread()
	}
	l.buf = append(l.buf, c)
	var err error
	l.buf, err = l.src.AppendUntil(l.buf, atomStop, len(l.buf)-1+l.limits.Word)
	if err != nil && errors.Is(err, prot.ErrLong) {
		return errSyntax
	}
	return err
}

// quoted reads up to the quote that ends what one just began. Escapes stay.
func (l *lexer) quoted() error {
	l.buf = append(l.buf, '"')
	end := len(l.buf) + l.limits.Quoted
	for {
		var err error
		if l.buf, err = l.src.AppendUntil(l.buf, quotedStop, end); err != nil {
			if errors.Is(err, prot.ErrLong) {
				err = errSyntax
			}
			return err
		}
		c, err := l.src.ReadByte()
		switch {
		case err != nil:
			return err
		case c == '"':
			l.buf = append(l.buf, c)
			return nil
		case c != '\\':
			return l.unread()
		}
		e, err := l.src.ReadByte()
		if err != nil {
			return err
		}
		if e == '\r' || e == '\n' || e == 0 || len(l.buf) >= end {
			return l.unread()
		}
		l.buf = append(l.buf, c, e)
	}
}

// literal reads what follows a brace.
func (l *lexer) literal() error {
	n, c, err := l.digits()
	if err != nil {
		return err
	}
	if l.peer == FromClient {
		// QUIRK: {n} waits for an invitation, which no server gives: real ones crash.
		if c != '+' {
			return l.unread()
		}
		if c, err = l.src.ReadByte(); err != nil {
			return err
		}
	}
	if c != '}' {
		return l.unread()
	}
	if err := l.lineEnd(false); err != nil {
		return err
	}
	if n > l.limits.Literal || l.room(n) != nil {
		if err := l.discard(n); err != nil {
			return err
		}
		return fmt.Errorf("%w: a literal of %d octets", errSyntax, n)
	}
	l.buf = append(strconv.AppendInt(append(l.buf, '{'), n, 10), "}\r\n"...)
	return l.take(int(n))
}

// take reads n octets, in parts, so that memory is only used for what came.
func (l *lexer) take(n int) error {
	for n > 0 {
		part := min(n, 64<<10)
		l.buf = slices.Grow(l.buf, part)
		b := l.buf[len(l.buf) : len(l.buf)+part]
		if _, err := io.ReadFull(l.src, b); err != nil {
			return err
		}
		l.buf = l.buf[:len(l.buf)+part]
		n -= part
	}
	return nil
}

// digits reads a number of at most 32 bits and the octet behind it.
func (l *lexer) digits() (n int64, c byte, err error) {
	for i := 0; ; i++ {
		if c, err = l.src.ReadByte(); err != nil {
			return 0, 0, err
		}
		if c < '0' || c > '9' {
			if i == 0 {
				return 0, 0, l.unread()
			}
			return n, c, nil
		}
		if n = n*10 + int64(c-'0'); n >= 1<<32 {
			return 0, 0, l.unread()
		}
	}
}

// lineEnd reads CRLF, or LF where lax.
func (l *lexer) lineEnd(lax bool) error {
	c, err := l.src.ReadByte()
	if err != nil {
		return err
	}
	if c == '\r' {
		if c, err = l.src.ReadByte(); err != nil {
			return err
		}
	} else if !lax {
		return l.unread()
	}
	if c != '\n' {
		return l.unread()
	}
	return nil
}

// room says whether n more octets are within the bound.
func (l *lexer) room(n int64) error {
	if int64(len(l.buf))+n > l.limits.Total {
		return fmt.Errorf("%w: more than %d octets", errSyntax, l.limits.Total)
	}
	return nil
}

func (l *lexer) discard(n int64) error {
	_, err := io.CopyN(io.Discard, l.src, n)
	return err
}
