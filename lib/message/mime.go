package message

import (
	"bytes"

	"gocyrus/lib/charset"
)

// param is an attribute, in upper case, and its value.
type param struct{ attribute, value []byte }

// tspecials end a token (RFC 2045 section 5.1); so do controls and octets above
// 127.
var tspecial = func() (t [256]bool) {
	for _, c := range []byte("()<>@,;:\\\"/[]?=") {
		t[c] = true
	}
	for c := range t {
		t[c] = t[c] || c < ' ' || c >= 0x80
	}
	return t
}()

// skipSpace goes over white space and comments from position i of h. It
// returns -1 at the end of the field.
func skipSpace(h []byte, i int) int {
	for {
		switch c := at(h, i); {
		case c == '\n':
			if i++; at(h, i) != ' ' && at(h, i) != '\t' {
				return -1
			}
		case c == '(':
			if i = skipComment(h, i); i < 0 {
				return -1
			}
		case isSpace(c):
			i++
		case c == 0:
			return -1
		default:
			return i
		}
	}
}

// skipComment goes over the comment at h[i], an open parenthesis.
func skipComment(h []byte, i int) int {
	i++
	for level := 1; level > 0; i++ {
		switch at(h, i) {
		case 0:
			return -1
		case '\n':
			if i++; at(h, i) != ' ' && at(h, i) != '\t' {
				return -1
			}
		case '\\':
			if i++; at(h, i) == 0 {
				return -1
			}
		case '(':
			level++
		case ')':
			level--
		}
	}
	return i
}

// token finds the end of a token at h[i], which ends at white space, a comment
// or one of the octets in stop. It returns -1 if the token holds what it may
// not.
func token(h []byte, i int, stop byte) int {
	for ; ; i++ {
		c := at(h, i)
		if c == 0 || isSpace(c) || c == stop || c == '(' {
			return i
		}
		if tspecial[c] {
			return -1
		}
	}
}

// setType sets type, parameters and encoding of a part from its header, or its
// default type. A Content-Type that cannot be read counts as absent.
func (p *parser) setType(n *node, def defaultType) {
	if h, ok := p.rest(n, fEncoding); ok {
		n.encoding = p.parseEncoding(h)
	}
	n.enc = charset.LookupEncoding(n.encoding)
	if h, ok := p.rest(n, fType); ok && p.parseType(n, h) {
		n.kind = kindOf(n.typ, n.subtype)
	} else {
		p.setDefault(n, def)
	}
	if string(n.typ) == "MESSAGE" {
		// QUIRK: whatever their field says, messages count as not encoded (and
		// RFC 2046 section 5.2.1 allows them no other).
		n.enc = charset.None
	}
}

func kindOf(typ, subtype []byte) kind {
	switch string(typ) {
	case "TEXT":
		return text
	case "MULTIPART":
		return multipart
	case "MESSAGE":
		if string(subtype) == "RFC822" {
			return message
		}
	}
	return leaf
}

var (
	typeText, typePlain     = []byte("TEXT"), []byte("PLAIN")
	typeMessage, typeRFC822 = []byte("MESSAGE"), []byte("RFC822")
	plainParams             = []param{{[]byte("CHARSET"), []byte("us-ascii")}}
)

func (p *parser) setDefault(n *node, def defaultType) {
	if def == defaultMessage {
		n.kind, n.typ, n.subtype, n.params = message, typeMessage, typeRFC822, nil
		return
	}
	n.kind, n.typ, n.subtype, n.params = text, typeText, typePlain, plainParams
}

// parseEncoding reads a Content-Transfer-Encoding, nil if it is not a token.
func (p *parser) parseEncoding(h []byte) []byte {
	start := skipSpace(h, 0)
	if start < 0 {
		return nil
	}
	end := token(h, start, '(')
	if end < 0 || skipSpace(h, end) >= 0 {
		return nil
	}
	return p.upper(h[start:end])
}

// parseType reads a Content-Type into n and says whether there was one.
func (p *parser) parseType(n *node, h []byte) bool {
	i := skipSpace(h, 0)
	if i < 0 {
		return false
	}
	h = h[i:]
	encoded := len(h) > 2 && h[0] == '=' && h[1] == '?'
	if encoded {
		// QUIRK: old versions of Apple Mail encode the whole field when a
		// parameter is not ASCII.
		h = charset.DecodeHeader(nil, h, false)
	}
	end := token(h, 0, '/')
	if end < 0 {
		return false
	}
	typ := h[:end]
	if i = skipSpace(h, end); i < 0 || h[i] != '/' {
		return false
	}
	if i = skipSpace(h, i+1); i < 0 {
		return false
	}
	if end = token(h, i, ';'); end < 0 {
		return false
	}
	subtype := h[i:end]
	i = skipSpace(h, end)
	if i >= 0 && h[i] != ';' {
		return false
	}
	n.typ, n.subtype = p.upper(typ), p.upper(subtype)
	if i >= 0 {
		n.params = p.parseParams(h[i+1:])
		if encoded {
			reencode(n.params)
		}
	}
	return true
}

// reencode makes encoded words of values that are not ASCII and not in the form
// of RFC 2231.
func reencode(params []param) {
	for i, q := range params {
		if bytes.HasSuffix(q.attribute, []byte{'*'}) {
			continue
		}
		for _, c := range q.value {
			if c >= 0x80 {
				params[i].value = charset.EncodeHeader(nil, q.value)
				break
			}
		}
	}
}

// disposition is a Content-Disposition; typ is nil if there is none.
type disposition struct {
	typ    []byte
	params []param
}

func (p *parser) parseDisposition(h []byte) (d disposition) {
	start := skipSpace(h, 0)
	if start < 0 {
		return d
	}
	end := token(h, start, ';')
	if end < 0 {
		return d
	}
	i := skipSpace(h, end)
	if i >= 0 && h[i] != ';' {
		return d
	}
	d.typ = p.upper(h[start:end])
	if i >= 0 {
		d.params = p.parseParams(h[i+1:])
	}
	return d
}

// parseLanguage reads a Content-Language: tags separated by commas. What comes
// after something else is dropped.
func (p *parser) parseLanguage(h []byte) (tags [][]byte) {
	for i := 0; ; i++ {
		if i = skipSpace(h, i); i < 0 {
			return tags
		}
		start := i
		for c := at(h, i); c != 0 && !isSpace(c) && c != ',' && c != '('; c = at(h, i) {
			if c != '-' && (c|0x20 < 'a' || c|0x20 > 'z') {
				return tags
			}
			i++
		}
		end := i
		if i = skipSpace(h, i); i >= 0 && h[i] != ',' {
			return tags
		}
		tags = append(tags, p.upper(h[start:end]))
		if i < 0 {
			return tags
		}
	}
}

// upper is s with its ASCII letters in upper case.
func (p *parser) upper(s []byte) []byte {
	for i, c := range s {
		if 'a' <= c && c <= 'z' {
			n := len(p.text)
			p.text = append(p.text, s...)
			u := p.text[n:len(p.text):len(p.text)]
			for ; i < len(u); i++ {
				if c := u[i]; 'a' <= c && c <= 'z' {
					u[i] = c - 0x20
				}
			}
			return u
		}
	}
	return s
}
