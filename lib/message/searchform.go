package message

import (
	"bytes"

	"gocyrus/lib/charset"
)

// searchAddresses appends the search form of a list of addresses: one text that
// looks like the field, with names decoded and the rest in lower case.
func (p *parser) searchAddresses(b []byte, list []address) []byte {
	comma := false
	for _, a := range list {
		if a.domain == nil && a.mailbox == nil { // a group ends
			b, comma = append(b, ';'), true
			continue
		}
		if comma {
			b = append(b, ',')
		}
		if a.domain == nil { // a group starts
			b = charset.DecodeHeader(b, a.mailbox, p.opts.RFC2047UTF8)
			b, comma = append(b, ':'), false
			continue
		}
		if a.name != nil {
			b = p.searchName(b, a.name)
			b = append(b, ' ')
		}
		b = append(b, '<')
		if a.route != nil {
			b = append(appendLower(b, a.route), ':')
		}
		b = append(appendLower(b, a.mailbox), '@')
		b = append(appendLower(b, a.domain), '>')
		comma = true
	}
	return b
}

// plain marks the octets of a name that needs no quotes: atom text (RFC 5322
// section 3.2.3) and white space.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || isSpace(byte(c))
	}
	for _, c := range []byte("!#$%&'*+-/=?^_`{|}~") {
		t[c] = true
	}
	return t
}()

// searchName appends a decoded name, in quotes where it needs them.
func (p *parser) searchName(b, name []byte) []byte {
	k := len(p.text)
	p.text = charset.DecodeHeader(p.text, name, p.opts.RFC2047UTF8)
	name = p.text[k:len(p.text):len(p.text)]
	p.text = p.text[:k]
	quote := false
	for _, c := range name {
		if !plain[c] {
			quote = true
			break
		}
	}
	if !quote {
		return append(b, name...)
	}
	b = append(b, '"')
	for len(name) > 0 {
		i := bytes.IndexAny(name, `\"`)
		if i < 0 {
			b = append(b, name...)
			break
		}
		b = append(b, name[:i]...)
		b = append(b, '\\', name[i])
		name = name[i+1:]
	}
	return append(b, '"')
}

// searchSubject appends the decoded subject as an nstring.
func (p *parser) searchSubject(b []byte, n *node) []byte {
	v, ok := p.value(n, fSubject)
	if !ok {
		return append(b, "NIL"...)
	}
	k := len(p.text)
	p.text = unfold(p.text, v)
	raw := p.text[k:len(p.text):len(p.text)]
	m := len(p.text)
	p.text = charset.DecodeHeader(p.text, raw, p.opts.RFC2047UTF8)
	b = appendNString(b, p.text[m:len(p.text):len(p.text)])
	p.text = p.text[:k]
	return b
}

func appendLower(b, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}
