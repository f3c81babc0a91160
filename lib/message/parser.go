package message

import (
	"bytes"
	"crypto/sha1"
	"hash"

	"gocyrus/lib/charset"
)

// kind is what the parser must know of a part's type.
type kind uint8

const (
	leaf      kind = iota
	text           // text/*: its lines are counted, it has a character set
	message        // message/rfc822: holds a message
	multipart      // multipart/*: holds parts
)

// defaultType is the type of a part that names none.
type defaultType uint8

const (
	defaultText    defaultType = iota // text/plain; charset=us-ascii
	defaultMessage                    // message/rfc822, inside multipart/digest
)

// node is a part of the tree: a message, or a part of a multipart.
type node struct {
	kind                                     kind
	enc                                      charset.Encoding
	typ, subtype, encoding                   []byte // upper case; encoding nil if none given
	params                                   []param
	headerOffset, headerSize                 uint32
	contentOffset, contentSize, boundarySize uint32
	headerLines, contentLines, boundaryLines uint32
	decodedSize                              uint32
	guid                                     [20]byte
	first, last, next, numParts              int32 // children; -1 is none
	fields                                   [numFields]uint32
}

// parser holds the state and the buffers of one Parse.
type parser struct {
	opts    Options
	msg     []byte
	pos     int
	nodes   []node
	bounds  boundaries
	params  []param
	text    []byte // texts of types and parameters that are not in msg as they are
	addrs   []address
	cached  []byte // the cached header fields of the top header
	budget  int    // octets of embedded messages that may still be hashed
	limited bool
	// undigested leaves digests and decoded sizes out, for callers that want
	// the tree only.
	undigested bool

	dec     charset.Decoder
	sha     hash.Hash
	chunk   []byte
	scratch []byte
	// the texts being made
	out, bs, body []byte
}

func (p *parser) reset(b []byte, opts Options) {
	p.opts, p.msg, p.pos, p.limited, p.undigested = opts, b, 0, false, false
	p.nodes, p.params, p.text = p.nodes[:0], p.params[:0], p.text[:0]
	p.addrs, p.cached = p.addrs[:0], p.cached[:0]
	p.out, p.bs, p.body = p.out[:0], p.bs[:0], p.body[:0]
	p.bounds.reset(opts.RFC2046Strict)
	p.budget = hashBudget * len(b)
}

// newNode adds a node to parent's children.
func (p *parser) newNode(parent int32) int32 {
	i := int32(len(p.nodes))
	p.nodes = append(p.nodes, node{first: -1, last: -1, next: -1})
	if parent < 0 {
		return i
	}
	up := &p.nodes[parent]
	if up.last < 0 {
		up.first = i
	} else {
		p.nodes[up.last].next = i
	}
	up.last = i
	if up.kind == multipart {
		up.numParts++
	}
	return i
}

// parseBody reads a message or part: header, then what its type says. nested
// counts the messages around it.
func (p *parser) parseBody(parent int32, def defaultType, nested int) int32 {
	i := p.newNode(parent)
	sawBoundary := p.parseHeader(i, def, parent < 0)
	switch p.nodes[i].kind {
	case multipart:
		if !sawBoundary {
			p.parseMultipart(i, nested)
		}
	case message:
		p.parseMessage(i, sawBoundary, nested)
	default:
		if !sawBoundary {
			p.parseContent(i, true)
		}
	}
	return i
}

// parseMessage reads the message inside a message/rfc822 part.
func (p *parser) parseMessage(i int32, sawBoundary bool, nested int) {
	start := p.pos
	if sawBoundary || nested >= maxNested {
		sub := p.newNode(i)
		p.setDefault(&p.nodes[sub], defaultText)
		if !sawBoundary {
			p.limited = true
			p.parseContent(i, false)
		}
		return
	}
	sub := p.parseBody(i, defaultText, nested+1)
	n, s := &p.nodes[i], &p.nodes[sub]
	n.contentSize = s.headerSize + s.contentSize
	n.contentLines = s.headerLines + s.contentLines
	n.boundarySize, n.boundaryLines = s.boundarySize, s.boundaryLines
	if int(n.contentSize) > p.budget {
		p.limited = true
		return
	}
	p.budget -= int(n.contentSize)
	// Cyrus takes the digest of an embedded message as it stands, whatever its
	// transfer encoding says.
	p.digest(n, p.span(start, int(n.contentSize)), charset.None)
}

// parseMultipart reads preamble, parts and epilogue of a multipart.
func (p *parser) parseMultipart(i int32, nested int) {
	n := &p.nodes[i]
	def := defaultText
	if string(n.subtype) == "DIGEST" {
		def = defaultMessage
	}
	id, ok := boundaryParam(n.params)
	if !ok {
		// Invalid MIME: a multipart without parts.
		p.parseContent(i, true)
		return
	}
	p.bounds.push(id)
	depth := p.bounds.len()
	pre := p.skipContent()

	limit := p.opts.BoundaryLimit
	for p.bounds.len() == depth && (limit == 0 || depth < limit) {
		if len(p.nodes) >= maxParts {
			// What is left becomes the epilogue of the outermost multipart.
			p.limited = true
			p.bounds.truncate(0)
			break
		}
		sub := p.parseBody(i, def, nested)
		if p.pos == len(p.msg) && p.nodes[sub].boundarySize == 0 {
			p.bounds.truncate(0) // the message ends: so do all multiparts
		}
	}
	if limit != 0 && depth >= limit {
		p.limited = true
	}
	n = &p.nodes[i]
	var epi extent
	switch {
	case p.bounds.len() == depth-1:
		epi = p.skipContent()
	case n.numParts > 0:
		// The boundary of an enclosing multipart ended the last part: it is
		// ours to pass on.
		last := &p.nodes[n.last]
		n.boundarySize, n.boundaryLines = last.boundarySize, last.boundaryLines
		last.boundarySize, last.boundaryLines = 0, 0
	default:
		n.boundarySize, n.boundaryLines = pre.boundarySize, pre.boundaryLines
		pre.boundarySize, pre.boundaryLines = 0, 0
	}
	n.contentSize = pre.size + pre.boundarySize + epi.size
	n.contentLines = pre.lines + pre.boundaryLines + epi.lines
	for c := n.first; c >= 0; c = p.nodes[c].next {
		s := &p.nodes[c]
		n.contentSize += s.headerSize + s.contentSize + s.boundarySize
		n.contentLines += s.headerLines + s.contentLines + s.boundaryLines
	}
	n.boundarySize += epi.boundarySize
	n.boundaryLines += epi.boundaryLines
}

// parseContent reads the content of a part up to the boundary that ends it.
func (p *parser) parseContent(i int32, digest bool) {
	start := p.pos
	e := p.skipContent()
	n := &p.nodes[i]
	n.contentSize, n.contentLines = e.size, e.lines
	n.boundarySize += e.boundarySize
	n.boundaryLines += e.boundaryLines
	if digest {
		p.digest(n, p.span(start, int(e.size)), n.enc)
	}
}

// extent is the size of a stretch of content and of the boundary line after it.
type extent struct{ size, lines, boundarySize, boundaryLines uint32 }

// skipContent goes over content to the next boundary that is in force, or the
// end. The line end before a boundary belongs to the boundary (RFC 2046 section
// 5.1.1).
func (p *parser) skipContent() (e extent) {
	start := p.pos
	for p.bounds.len() > 0 && p.pos < len(p.msg) {
		if !bytes.HasPrefix(p.msg[p.pos:], dashes) {
			k := bytes.Index(p.msg[p.pos:], newlineDashes)
			if k < 0 {
				break
			}
			p.pos += k + 1
		}
		at := p.pos
		line := p.line()
		if !p.bounds.match(line) {
			continue
		}
		e.size = uint32(at - start)
		e.lines = uint32(bytes.Count(p.msg[start:at], newline))
		e.boundarySize, e.boundaryLines = uint32(len(line)), 1
		if e.lines > 0 {
			e.lines--
			e.boundaryLines++
		}
		if e.size > 1 {
			e.size -= 2
			e.boundarySize += 2
		}
		return e
	}
	p.pos = len(p.msg)
	e.size = uint32(p.pos - start)
	e.lines = uint32(bytes.Count(p.msg[start:], newline))
	return e
}

var (
	newline       = []byte{'\n'}
	dashes        = []byte("--")
	newlineDashes = []byte("\n--")
)

// line takes the next line, with its line end.
func (p *parser) line() []byte {
	rest := p.msg[p.pos:]
	if k := bytes.IndexByte(rest, '\n'); k >= 0 {
		rest = rest[:k+1]
	}
	p.pos += len(rest)
	return rest
}

// span is a stretch of the message, cut at its end: sizes are sums of parts and
// may run over it in broken messages.
func (p *parser) span(start, size int) []byte {
	return p.msg[start:min(start+size, len(p.msg))]
}

// hashChunk is how much base64 or quoted-printable is decoded and hashed at a
// time, so that it stays in the processor's cache.
const hashChunk = 8 << 10

// digest sets the decoded size and digest of a part. An unknown encoding has
// none.
func (p *parser) digest(n *node, content []byte, enc charset.Encoding) {
	if p.undigested {
		return
	}
	switch enc {
	case charset.Unknown:
		return
	case charset.None:
		n.guid, n.decodedSize = sha1.Sum(content), uint32(len(content))
		return
	}
	if p.sha == nil {
		p.sha = sha1.New()
	}
	p.sha.Reset()
	p.dec.Reset(enc)
	size := 0
	for len(content) > 0 {
		k := min(len(content), hashChunk)
		p.chunk = p.dec.Decode(p.chunk[:0], content[:k])
		p.sha.Write(p.chunk)
		size += len(p.chunk)
		content = content[k:]
	}
	p.chunk = p.dec.Flush(p.chunk[:0])
	p.sha.Write(p.chunk)
	size += len(p.chunk)
	n.decodedSize = uint32(size)
	p.sha.Sum(n.guid[:0])
}
