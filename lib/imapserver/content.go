package imapserver

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/indexfile"
)

// content is what the sections of a message are cut from.
type content struct {
	raw   indexfile.Raw
	cache []byte // the cache record; nil until needed
	file  []byte // the message file, or as much as is needed of it; nil until needed
}

// span is size octets of the file from offset, as far as it has them.
func (c *content) span(offset, size uint32) []byte {
	n := uint64(len(c.file))
	from := min(uint64(offset), n)
	return c.file[from:min(from+uint64(size), n)]
}

var specs = map[imap.PartSpecifier]cachefile.Spec{
	imap.PartSpecifierNone: cachefile.Content, imap.PartSpecifierHeader: cachefile.Header,
	imap.PartSpecifierText: cachefile.Text, imap.PartSpecifierMIME: cachefile.MIME,
}

// find looks a part up. Without one ok is false.
func (c *content) find(part []int, spec imap.PartSpecifier) (p cachefile.Part, data []byte, ok bool, err error) {
	table, err := cachefile.Get(c.cache, cachefile.Section)
	if err == nil {
		var offset, size uint32
		if p, offset, size, err = cachefile.Find(table, part, specs[spec]); err == nil {
			return p, c.span(offset, size), true, nil
		}
	}
	if errors.Is(err, cachefile.ErrNoPart) {
		err = nil
	}
	return p, nil, false, err
}

// section is the octets of a section that is not fields of a header. Without such a part
// ok is false.
func (c *content) section(s *sectionPlan) (data []byte, ok bool, err error) {
	switch {
	case len(s.part) == 0 && s.specifier == imap.PartSpecifierNone:
		return c.file, true, nil
	case s.topHeader():
		return c.span(0, c.raw.HeaderSize()), true, nil
	}
	_, data, ok, err = c.find(s.part, s.specifier)
	if ok && s.specifier == imap.PartSpecifierText && c.partless(s.part) {
		data = nil
	}
	return data, ok, err
}

// partless says whether a message is a multipart in which no part was found.
// QUIRK: Cyrus shows it as a text without octets, and its TEXT is empty.
func (c *content) partless(message []int) bool {
	table, err := cachefile.Get(c.cache, cachefile.Section)
	if err != nil {
		return false
	}
	first, _, size, err := cachefile.Find(table, append(slices.Clone(message), 1), cachefile.Content)
	return err == nil && first.Container && size == 0
}

// headerOf is the header, in the file, of which a section names fields.
func (c *content) headerOf(s *sectionPlan) (header []byte, ok bool, err error) {
	if s.topHeader() {
		header = c.span(0, c.raw.HeaderSize())
		return header, len(header) > 0, nil
	}
	_, header, ok, err = c.find(s.part, imap.PartSpecifierHeader)
	if !ok && err == nil && len(s.part) > 0 {
		// QUIRK: of a part that is no message Cyrus takes the part's own header.
		_, header, ok, err = c.find(s.part, imap.PartSpecifierMIME)
	}
	return header, ok && len(header) > 0, err
}
