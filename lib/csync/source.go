package csync

import (
	"bufio"
	"io"

	"gocyrus/lib/prot"
)

// Source is a peer's stream as the readers need it; prot.Conn is one.
type Source interface {
	io.Reader
	io.ByteScanner
	// AppendUntil appends input to dst up to the first octet in stop, which stays
	// unread; prot.ErrLong if dst would become longer than max.
	AppendUntil(dst []byte, stop *[256]bool, max int) ([]byte, error)
}

var _ Source = (*prot.Conn)(nil)

// Buffered makes a Source of a buffered reader.
func Buffered(r *bufio.Reader) Source { return buffered{r} }

type buffered struct{ *bufio.Reader }

func (b buffered) AppendUntil(dst []byte, stop *[256]bool, max int) ([]byte, error) {
	for {
		if _, err := b.Peek(1); err != nil {
			return dst, err
		}
		part, _ := b.Peek(b.Reader.Buffered())
		n := 0
		for n < len(part) && !stop[part[n]] {
			n++
		}
		if len(dst)+n > max {
			return dst, prot.ErrLong
		}
		dst = append(dst, part[:n]...)
		b.Discard(n)
		if n < len(part) {
			return dst, nil
		}
	}
}

func stops(octets string) *[256]bool {
	var s [256]bool
	for i := range len(octets) {
		s[octets[i]] = true
	}
	return &s
}

var (
	// Cyrus's getxstring: an atom ends at white space, parentheses and quotes. NUL
	// is in no text of ours.
	atomStop   = stops(" \t\n\v\f\r()\"\x00")
	quotedStop = stops("\"\\\r\n\x00")
	lineStop   = stops("\n")
)

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
