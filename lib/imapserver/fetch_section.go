package imapserver

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
)

// errUnknownCTE is the error of a BINARY section whose transfer encoding cannot
// be undone (RFC 3516 section 4.3).
var errUnknownCTE = imapwire.No("[UNKNOWN-CTE] Unknown Content-Transfer-Encoding")

// sections appends what is taken from the message: old RFC822 items, fields of
// headers, then sections, in Cyrus's order.
func (f *fetchRun) sections() {
	p := f.p
	if p.items&imapwire.FetchRFC822Header != 0 {
		f.label(" RFC822.HEADER ")
		f.string(f.span(0, f.raw.HeaderSize()), nil)
	}
	if p.items&imapwire.FetchRFC822Text != 0 {
		f.label(" RFC822.TEXT ")
		f.string(f.span(f.raw.HeaderSize(), f.raw.Size()-f.raw.HeaderSize()), nil)
	}
	if p.items&imapwire.FetchRFC822 != 0 {
		f.label(" RFC822 ")
		f.string(f.file, nil)
	}
	for i := range p.fields {
		f.label(p.fields[i].label)
		f.fields(&p.fields[i])
	}
	for i := range p.sections {
		f.label(p.sections[i].label)
		f.body(&p.sections[i])
	}
	for i := range p.binary {
		f.binary(&p.binary[i], false)
	}
	for i := range p.sizes {
		f.binary(&p.sizes[i], true)
	}
}

func (f *fetchRun) label(s string) { f.out.buf = append(f.out.buf, s...) }

func (f *fetchRun) nil() { f.label("NIL") }

// string appends data, or the part of it that was asked for, as a literal. A
// literal with NUL is one of RFC 3516's, as with Cyrus.
func (f *fetchRun) string(data []byte, p *imap.SectionPartial) {
	data = cutPartial(data, p)
	if len(data) == 0 {
		f.label(`""`)
		return
	}
	if bytes.IndexByte(data, 0) >= 0 {
		f.label("~")
	}
	f.out.buf = imapwire.AppendLiteralHeader(f.out.buf, len(data))
	f.out.literal(data, true)
}

// cutPartial is the octets of data that a partial fetch asks for.
func cutPartial(data []byte, p *imap.SectionPartial) []byte {
	if p == nil {
		return data
	}
	from := min(p.Offset, int64(len(data)))
	return data[from : from+min(p.Size, int64(len(data))-from)]
}

// find looks a section up. Without one ok is false: the answer is NIL.
func (f *fetchRun) find(part []int, spec imap.PartSpecifier) (p cachefile.Part, data []byte, ok bool) {
	p, data, ok, err := f.content.find(part, spec)
	if err != nil {
		f.err = err
	}
	return p, data, ok
}

// body appends a BODY section.
func (f *fetchRun) body(s *sectionPlan) {
	data, ok, err := f.section(s)
	if err != nil {
		f.err = err
	}
	if !ok {
		f.nil()
		return
	}
	f.string(data, s.partial)
}

// fields appends the fields of a header, from the cache where it has them all.
func (f *fetchRun) fields(s *sectionPlan) {
	header, ok := f.header(s)
	if !ok {
		f.nil()
		return
	}
	f.scratch = appendFields(f.scratch[:0], header, s.names, s.not)
	data := cutPartial(f.scratch, s.partial)
	if len(data) == 0 {
		f.label(`""`)
		return
	}
	f.out.buf = imapwire.AppendLiteralHeader(f.out.buf, len(data))
	f.out.literal(data, false)
}

func (f *fetchRun) header(s *sectionPlan) ([]byte, bool) {
	if s.cached >= 0 && s.cached <= int(f.raw.CacheVersion()) {
		if h, err := cachefile.Get(f.cache, cachefile.Headers); err == nil {
			return h, true
		}
	}
	if f.file == nil && f.readFile() != nil {
		return nil, false
	}
	header, ok, err := f.headerOf(s)
	if err != nil {
		f.err = err
	}
	return header, ok
}

// binary appends a BINARY section, or its size, without transfer encoding.
func (f *fetchRun) binary(s *sectionPlan, size bool) {
	part, data, ok := cachefile.Part{}, f.file, true
	if len(s.part) > 0 {
		part, data, ok = f.find(s.part, imap.PartSpecifierNone)
	}
	switch {
	case ok && part.Container && len(data) == 0 && len(s.part) > 0:
		return // QUIRK: Cyrus leaves the item out for a multipart without parts
	case ok && part.Encoding == charset.Unknown:
		f.err = errUnknownCTE
		return
	case !ok && size:
		f.label(s.label)
		f.label("0")
		return
	case !ok:
		f.label(s.label)
		f.nil()
		return
	}
	mapped := part.Encoding == charset.None
	if !mapped {
		data = decode(f.scratch[:0], data, part.Encoding)
		f.scratch = data
	}
	f.label(s.label)
	if size {
		f.out.buf = strconv.AppendInt(f.out.buf, int64(len(data)), 10)
		return
	}
	data = cutPartial(data, s.partial)
	if len(data) == 0 {
		f.label(`""`)
		return
	}
	if bytes.IndexByte(data, 0) >= 0 {
		f.label("~")
	}
	f.out.buf = imapwire.AppendLiteralHeader(f.out.buf, len(data))
	f.out.literal(data, mapped)
}

// decode appends data without its transfer encoding.
func decode(dst, data []byte, enc charset.Encoding) []byte {
	var d charset.Decoder
	d.Reset(enc)
	return d.Flush(d.Decode(dst, data))
}

func appendSHA1(b, data []byte) []byte {
	sum := sha1.Sum(data)
	return hex.AppendEncode(b, sum[:])
}
