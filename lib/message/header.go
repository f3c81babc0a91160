package message

import "bytes"

// field names the header fields that the parser looks at.
type field uint8

const (
	noField field = iota
	fBcc
	fCc
	fDescription
	fDisposition
	fID
	fLanguage
	fLocation
	fMD5
	fEncoding
	fType
	fDate
	fFrom
	fInReplyTo
	fMessageID
	fReceived
	fReferences
	fReplyTo
	fSender
	fSubject
	fTo
	fInternalDate
	numFields
)

func lookupField(lower []byte) field {
	switch string(lower) {
	case "bcc":
		return fBcc
	case "cc":
		return fCc
	case "content-description":
		return fDescription
	case "content-disposition":
		return fDisposition
	case "content-id":
		return fID
	case "content-language":
		return fLanguage
	case "content-location":
		return fLocation
	case "content-md5":
		return fMD5
	case "content-transfer-encoding":
		return fEncoding
	case "content-type":
		return fType
	case "date":
		return fDate
	case "from":
		return fFrom
	case "in-reply-to":
		return fInReplyTo
	case "message-id":
		return fMessageID
	case "received":
		return fReceived
	case "references":
		return fReferences
	case "reply-to":
		return fReplyTo
	case "sender":
		return fSender
	case "subject":
		return fSubject
	case "to":
		return fTo
	case "x-deliveredinternaldate":
		return fInternalDate
	}
	return noField
}

// parseHeader reads the header of node i, and sets its type and encoding. It
// says whether a boundary ended the header, so that there is no body.
func (p *parser) parseHeader(i int32, def defaultType, top bool) (sawBoundary bool) {
	n := &p.nodes[i]
	start := p.pos
	block, sawBoundary := p.headerBlock(n)
	if k := bytes.IndexByte(block, 0); k >= 0 {
		block = block[:k] // no way in leads past a NUL; Cyrus ends the header there
	}
	n.headerOffset, n.headerSize = uint32(start), uint32(len(block))
	n.contentOffset = uint32(p.pos)
	n.headerLines = uint32(bytes.Count(block, newline))
	p.scanFields(n, block, top)
	p.setType(n, def)
	return sawBoundary
}

// headerBlock takes the lines of a header, with the empty line that ends it. A
// boundary line in it ends it too; then the line end before the boundary is the
// boundary's.
func (p *parser) headerBlock(n *node) (block []byte, sawBoundary bool) {
	start := p.pos
	if p.bounds.len() == 0 {
		rest := p.msg[start:]
		switch k := bytes.Index(rest, []byte("\n\r\n")); {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			p.pos += 2
		case k >= 0:
			p.pos += k + 3
		default:
			p.pos = len(p.msg)
		}
		return p.msg[start:p.pos], false
	}
	for p.pos < len(p.msg) {
		at := p.pos
		line := p.line()
		if line[0] == '\r' && len(line) == 2 {
			break
		}
		if line[0] != '-' {
			continue
		}
		if k := bytes.IndexByte(line, 0); k >= 0 {
			line = line[:k]
		}
		if !p.bounds.match(line) {
			continue
		}
		n.boundarySize, n.boundaryLines = uint32(len(line)), 1
		if at == start {
			return nil, true
		}
		n.boundarySize += 2
		n.boundaryLines++
		return p.msg[start:max(start, at-2)], true
	}
	return p.msg[start:p.pos], false
}

// scanFields notes where the fields of a header are, the last of each name, and
// collects the cached ones of the top header.
func (p *parser) scanFields(n *node, block []byte, top bool) {
	for at, count := 0, 0; at < len(block); count++ {
		if p.opts.MaxHeaderLines > 0 && count > p.opts.MaxHeaderLines {
			p.limited = true
			return
		}
		line := block[at:]
		if k := bytes.IndexByte(line, '\n'); k >= 0 {
			line = line[:k+1]
		}
		if line[0] != ' ' && line[0] != '\t' {
			p.scanField(n, block, at, line, top)
		}
		at += len(line)
	}
}

func (p *parser) scanField(n *node, block []byte, at int, line []byte, top bool) {
	var buf [maxCachedName]byte
	name := lowerName(buf[:0], line)
	if name == nil {
		return
	}
	if f := lookupField(name); f != noField && (f != fReceived || n.fields[f] == 0) {
		n.fields[f] = uint32(at + len(name) + 2)
	}
	if !top {
		return
	}
	if _, ok := cachedSince(name); ok {
		p.cached = append(p.cached, block[at:fieldEnd(block, at)]...)
		p.cached = append(p.cached, '\r', '\n')
	}
}

// lowerName gives the name of the field that starts line, in lower case, or nil
// if there is none or it has maxCachedName octets or more: no name of interest
// is that long.
func lowerName(dst, line []byte) []byte {
	for i, c := range line {
		switch {
		case c == ':':
			return dst
		case i == maxCachedName-1 || c == '\r' || c == '\n' || c == 0:
			return nil
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return nil
}

// fieldEnd is the end of a field's text that starts at position from: before
// the line end that no white space follows, or the end of the header.
//
// The octet at from itself is never taken for the line end; this is how Cyrus
// reads a field that is empty and ended by a bare LF.
func fieldEnd(h []byte, from int) int {
	i := from
	for {
		if i+1 >= len(h) {
			return len(h)
		}
		k := bytes.IndexByte(h[i+1:], '\n')
		if k < 0 {
			return len(h)
		}
		i += 1 + k
		if c := at(h, i+1); c != ' ' && c != '\t' {
			break
		}
	}
	if i > from && h[i-1] == '\r' {
		i--
	}
	return i
}

// rest is what follows the colon of a field, to the end of the header.
func (p *parser) rest(n *node, f field) (h []byte, ok bool) {
	if n.fields[f] == 0 {
		return nil, false
	}
	start := n.headerOffset + n.fields[f] - 1
	return p.msg[start : n.headerOffset+n.headerSize], true
}

// value is the text of an unstructured field, still folded.
func (p *parser) value(n *node, f field) (v []byte, ok bool) {
	h, ok := p.rest(n, f)
	if !ok {
		return nil, false
	}
	for len(h) > 0 && (h[0] == ' ' || h[0] == '\t') {
		h = h[1:]
	}
	return h[:fieldEnd(h, 0)], true
}

// unfold appends v to dst without its line ends (RFC 5322 section 2.2.3: the
// white space of a fold stays).
func unfold(dst, v []byte) []byte {
	k := bytes.IndexByte(v, '\n')
	if k < 0 {
		return append(dst, v...)
	}
	start := len(dst)
	for _, c := range v {
		if c == '\n' {
			if n := len(dst); n > start && dst[n-1] == '\r' {
				dst = dst[:n-1]
			}
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// at is octet i of s, or 0 beyond its end: parsers of structured fields take
// both as the end.
func at(s []byte, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
