package message

import "strconv"

// structure appends the BODYSTRUCTURE of part i to p.bs and its BODY, which is
// the same without extension data (RFC 3501 section 7.4.2), to p.body.
func (p *parser) structure(i int32) {
	n := &p.nodes[i]
	switch {
	case n.kind != multipart:
		p.single(i)
	case n.numParts == 0:
		// A multipart without parts is illegal: an empty text stands for it.
		p.emptyText()
	default:
		p.multi(i)
	}
}

// emptyText appends the structure of an empty text/plain.
func (p *parser) emptyText() {
	const common = `("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0`
	p.bs = append(p.bs, common+" NIL NIL NIL NIL)"...)
	p.body = append(p.body, common+")"...)
}

func (p *parser) multi(i int32) {
	p.bs, p.body = append(p.bs, '('), append(p.body, '(')
	for c := p.nodes[i].first; c >= 0; c = p.nodes[c].next {
		p.structure(c)
	}
	n := &p.nodes[i]
	p.bs = appendNString(append(p.bs, ' '), n.subtype)
	p.body = appendNString(append(p.body, ' '), n.subtype)
	p.body = append(p.body, ')')
	p.bs = appendParams(append(p.bs, ' '), n.params)
	p.extensions(n)
}

func (p *parser) single(i int32) {
	n := &p.nodes[i]
	from := len(p.bs)
	b := append(p.bs, '(')
	b = appendNString(b, n.typ)
	b = appendNString(append(b, ' '), n.subtype)
	b = appendParams(append(b, ' '), n.params)
	b = p.appendField(append(b, ' '), n, fID)
	b = p.appendField(append(b, ' '), n, fDescription)
	if n.encoding == nil {
		b = append(b, ` "7BIT"`...)
	} else {
		b = appendNString(append(b, ' '), n.encoding)
	}
	b = appendNumber(append(b, ' '), n.contentSize)
	switch n.kind {
	case text:
		b = appendNumber(append(b, ' '), n.contentLines)
	case message:
		p.bs = append(append(b, ' '), p.embeddedEnvelope(n.first)...)
		p.bs = append(p.bs, ' ')
		p.body = append(p.body, p.bs[from:]...)
		p.structure(n.first)
		n = &p.nodes[i]
		from = len(p.bs)
		b = appendNumber(append(p.bs, ' '), n.contentLines)
	}
	p.bs = b
	p.body = append(p.body, b[from:]...)
	p.body = append(p.body, ')')
	p.bs = p.appendField(append(p.bs, ' '), n, fMD5)
	p.extensions(n)
}

// embeddedEnvelope makes the envelope of an embedded message. Its texts are
// dropped again, so that memory does not grow with the number of messages.
func (p *parser) embeddedEnvelope(i int32) []byte {
	addrs, txt := len(p.addrs), len(p.text)
	e := p.envelope(&p.nodes[i])
	p.addrs, p.text = p.addrs[:addrs], p.text[:txt]
	return e.text
}

// extensions appends disposition, language and location to p.bs, and closes it.
func (p *parser) extensions(n *node) {
	b := append(p.bs, ' ')
	params, txt := len(p.params), len(p.text)
	var d disposition
	if h, ok := p.rest(n, fDisposition); ok {
		d = p.parseDisposition(h)
	}
	if d.typ == nil {
		b = append(b, "NIL"...)
	} else {
		b = appendNString(append(b, '('), d.typ)
		b = appendParams(append(b, ' '), d.params)
		b = append(b, ')')
	}
	p.params = p.params[:params]
	b = append(b, ' ')
	var tags [][]byte
	if h, ok := p.rest(n, fLanguage); ok {
		tags = p.parseLanguage(h)
	}
	if len(tags) == 0 {
		b = append(b, "NIL"...)
	}
	for k, t := range tags {
		b = append(b, "( "[min(k, 1)])
		b = appendNString(b, t)
	}
	if len(tags) > 0 {
		b = append(b, ')')
	}
	p.text = p.text[:txt]
	b = p.appendField(append(b, ' '), n, fLocation)
	p.bs = append(b, ')')
}

func appendParams(b []byte, params []param) []byte {
	if len(params) == 0 {
		return append(b, "NIL"...)
	}
	for k, q := range params {
		b = append(b, "( "[min(k, 1)])
		b = appendNString(b, q.attribute)
		b = appendNString(append(b, ' '), q.value)
	}
	return append(b, ')')
}

func appendNumber(b []byte, n uint32) []byte { return strconv.AppendUint(b, uint64(n), 10) }
