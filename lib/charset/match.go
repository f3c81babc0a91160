package charset

import (
	"bytes"
	"sync"
)

// Pattern is a text to be searched for, folded once. It may be used by any
// number of goroutines.
type Pattern struct {
	opts   SearchOptions
	needle []byte
}

// NewPattern folds a text in UTF-8.
func NewPattern(text string, opts SearchOptions) *Pattern {
	var f Folder
	f.Reset(opts)
	return &Pattern{opts: opts, needle: f.Fold(nil, []byte(text))}
}

// Empty says whether the pattern is found in any text.
func (p *Pattern) Empty() bool { return len(p.needle) == 0 }

// Folded is the folded text; it must not be changed.
func (p *Pattern) Folded() []byte { return p.needle }

// pieceSize is how much of a text is decoded and searched at a time.
const pieceSize = 8 << 10

// matcher holds the buffers of a search.
type matcher struct {
	dec            Decoder
	conv           Converter
	fold           Folder
	raw, text, out []byte
}

var matchers = sync.Pool{New: func() any { return new(matcher) }}

// MatchText searches text in UTF-8, such as the search forms of cyrus.cache.
func (p *Pattern) MatchText(text []byte) bool {
	return p.Match(text, UTF8, None)
}

// MatchHeader searches the value of a header field, folded and with encoded
// words as it stands in a message.
func (p *Pattern) MatchHeader(value []byte) bool {
	if p.Empty() {
		return true
	}
	m := matchers.Get().(*matcher)
	defer matchers.Put(m)
	m.text = DecodeHeader(m.text[:0], value, p.opts.RFC2047UTF8)
	m.fold.Reset(p.opts)
	m.out = m.fold.Fold(m.out[:0], m.text)
	return bytes.Contains(m.out, p.needle)
}

// Match searches the content of a part in a transfer encoding and a character
// set; nil is US-ASCII. A part in an unknown encoding has no text. The work is
// linear, the memory bounded.
func (p *Pattern) Match(content []byte, cs *Charset, enc Encoding) bool {
	if p.Empty() {
		return true
	}
	m := matchers.Get().(*matcher)
	defer matchers.Put(m)
	m.dec.Reset(enc)
	m.conv.Reset(cs)
	m.fold.Reset(p.opts)
	m.out = m.out[:0]
	for len(content) > 0 {
		piece := content[:min(len(content), pieceSize)]
		content = content[len(piece):]
		if enc != None {
			m.raw = m.dec.Decode(m.raw[:0], piece)
			piece = m.raw
		}
		m.text = m.conv.Convert(m.text[:0], piece)
		if m.found(p) {
			return true
		}
	}
	m.raw = m.dec.Flush(m.raw[:0])
	m.text = m.conv.Flush(m.conv.Convert(m.text[:0], m.raw))
	return m.found(p)
}

// found folds m.text and searches it, together with the end of what was before.
func (m *matcher) found(p *Pattern) bool {
	keep := min(len(m.out), len(p.needle)-1)
	copy(m.out, m.out[len(m.out)-keep:])
	m.out = m.fold.Fold(m.out[:keep], m.text)
	return bytes.Contains(m.out, p.needle)
}
