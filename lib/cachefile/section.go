package cachefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"gocyrus/lib/charset"
)

// Part is an entry of a section table.
type Part struct {
	// The header and the content, in octets of the message file.
	HeaderOffset, HeaderSize   uint32
	ContentOffset, ContentSize uint32
	Encoding                   charset.Encoding
	// Charset is the name the sender gave, us-ascii if none; nil if the part
	// is not a text.
	Charset []byte
	// GUID and DecodedSize are of the content without its transfer encoding;
	// zero for multiparts.
	GUID        [20]byte
	DecodedSize uint32
	Lines       uint32
	// Container is set for part 0 of a table: a message or multipart as a whole.
	Container bool
}

// absent is the header size of part 0 of a multipart, which has no octets of
// its own.
const absent = 0xffffffff

// Spec is which octets of a part a section names (RFC 3501 section 6.4.5).
type Spec int

// The specifiers. Content is that of a section that ends in a number; for an
// empty path it is the whole message.
const (
	Content Spec = iota
	Header       // HEADER: of the message, or of a message/rfc822 part
	Text         // TEXT: the body of such a message
	MIME         // MIME: the header of a part
)

// ErrNoPart is the error for a section that the message does not have. FETCH
// answers NIL.
var ErrNoPart = errors.New("no such part")

// Find looks up a section, such as 1.2 or 1.2.HEADER, in the section table of a
// record. offset and size are the octets of the message file that it names. An
// empty path with Content is not in the table: it is the file.
//
// The error is ErrNoPart if there is no such part, ErrCorrupt if the table is
// damaged.
func Find(table []byte, path []int, spec Spec) (part Part, offset, size uint32, err error) {
	t := reader{b: table}
	if len(path) == 0 && (spec == Content || spec == MIME) {
		return Part{}, 0, 0, ErrNoPart
	}
	for i, number := range path {
		last := i == len(path)-1
		if number < 1 {
			return Part{}, 0, 0, ErrNoPart
		}
		descend := !last || spec == Header || spec == Text
		if part, err = t.part(number, descend); err != nil {
			return Part{}, 0, 0, err
		}
	}
	if spec == Header || spec == Text {
		if part, err = t.part(0, false); err != nil {
			return Part{}, 0, 0, err
		}
	}
	if part.HeaderSize == absent {
		return Part{}, 0, 0, ErrNoPart
	}
	if spec == Header || spec == MIME {
		return part, part.HeaderOffset, part.HeaderSize, nil
	}
	return part, part.ContentOffset, part.ContentSize, nil
}

// maxDepth bounds the nesting that Walk follows.
const maxDepth = 2100

// Walk calls f for each part of a message in order, containers before their
// parts, with the numbers that lead to it; path is only valid during the call.
// Part 0 of the message comes first, with an empty path. f returns false to
// stop. The error is ErrCorrupt, or nil.
func Walk(table []byte, f func(path []int, p Part, leaf bool) bool) error {
	t := reader{b: table}
	n, err := t.count()
	if err != nil || n == 0 {
		return fmt.Errorf("section table: %w", ErrCorrupt)
	}
	_, err = walk(&t, n, nil, 0, f)
	return err
}

func walk(t *reader, n uint32, path []int, depth int, f func([]int, Part, bool) bool) (goOn bool, err error) {
	if depth > maxDepth {
		return false, fmt.Errorf("depth: %w", ErrCorrupt)
	}
	parts := *t // the entries; t goes on to the tables below
	first, err := t.entry()
	if err != nil {
		return false, err
	}
	if depth == 0 && !f(path, first, false) {
		return false, nil
	}
	for i := uint32(1); i < n; i++ {
		if err := t.skip(); err != nil {
			return false, err
		}
	}
	if _, err := parts.entry(); err != nil {
		return false, err
	}
	for i := uint32(1); i < n; i++ {
		p, err := parts.entry()
		if err != nil {
			return false, err
		}
		below, err := t.count()
		if err != nil {
			return false, err
		}
		sub := append(path, int(i))
		if !f(sub, p, below == 0) {
			return false, nil
		}
		if below == 0 {
			continue
		}
		if goOn, err := walk(t, below, sub, depth+1, f); !goOn {
			return false, err
		}
	}
	return true, nil
}

// reader goes over a section table.
type reader struct {
	b   []byte
	pos int
}

// The fixed octets of an entry: five words, then behind the name of the
// character set the digest and two words.
const (
	entryHead = 20
	entryTail = 28
)

// count reads the number of entries of a table. No table has more entries than
// fit in what is left.
func (t *reader) count() (uint32, error) {
	if len(t.b)-t.pos < 4 {
		return 0, fmt.Errorf("section table: %w", ErrCorrupt)
	}
	n := binary.BigEndian.Uint32(t.b[t.pos:])
	t.pos += 4
	if uint64(n)*(entryHead+entryTail) > uint64(len(t.b)-t.pos) {
		return 0, fmt.Errorf("section table: %d parts: %w", n, ErrCorrupt)
	}
	return n, nil
}

// extent checks that an entry is there and gives the length of its name.
func (t *reader) extent() (name int, err error) {
	rest := len(t.b) - t.pos
	if rest < entryHead+entryTail {
		return 0, fmt.Errorf("section entry: %w", ErrCorrupt)
	}
	name = int(binary.BigEndian.Uint16(t.b[t.pos+16:]))
	if rest < entryHead+name+entryTail {
		return 0, fmt.Errorf("section entry: %w", ErrCorrupt)
	}
	return name, nil
}

func (t *reader) skip() error {
	name, err := t.extent()
	t.pos += entryHead + name + entryTail
	return err
}

func (t *reader) entry() (p Part, err error) {
	n, err := t.extent()
	if err != nil {
		return p, err
	}
	b := t.b[t.pos : t.pos+entryHead+n+entryTail]
	t.pos += len(b)
	be := binary.BigEndian
	p.HeaderOffset, p.HeaderSize = be.Uint32(b), be.Uint32(b[4:])
	p.ContentOffset, p.ContentSize = be.Uint32(b[8:]), be.Uint32(b[12:])
	switch enc := be.Uint16(b[18:]); {
	case enc == 0xffff:
		p.Container = true
	case enc > 0xff:
		p.Encoding = charset.Unknown
	default:
		p.Encoding = charset.Encoding(enc)
	}
	if n > 0 {
		p.Charset, _, _ = bytes.Cut(b[entryHead:entryHead+n], []byte{0})
	}
	b = b[entryHead+n:]
	copy(p.GUID[:], b)
	p.DecodedSize, p.Lines = be.Uint32(b[20:]), be.Uint32(b[24:])
	return p, nil
}

// part reads entry number of the table at t, and if descend moves t to the table
// below that entry.
func (t *reader) part(number int, descend bool) (p Part, err error) {
	n, err := t.count()
	if err != nil {
		return p, err
	}
	if uint64(number) >= uint64(n) {
		return p, ErrNoPart
	}
	for i := 0; i < int(n); i++ {
		if i != number {
			if i > number && !descend {
				break
			}
			err = t.skip()
		} else {
			p, err = t.entry()
		}
		if err != nil {
			return p, err
		}
	}
	if descend {
		err = t.skipTables(number - 1)
	}
	return p, err
}

// skipTables goes over n tables with all that is below them.
func (t *reader) skipTables(n int) error {
	for left := uint64(max(n, 0)); left > 0; left-- {
		parts, err := t.count()
		if err != nil {
			return err
		}
		for i := uint32(0); i < parts; i++ {
			if err := t.skip(); err != nil {
				return err
			}
		}
		if parts > 0 {
			left += uint64(parts) - 1
		}
	}
	return nil
}
