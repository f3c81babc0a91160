package message

import "bytes"

// address is one of a field's addresses as the envelope shows it. A nil text is
// NIL. A group starts with its name as mailbox and a nil domain, and ends with
// all of them nil.
type address struct{ name, route, mailbox, domain []byte }

// unspecifiedDomain stands for the domain that an address lacks.
var unspecifiedDomain = []byte("unspecified-domain")

// end is the token of the end of a field.
const end = 0

// addressParser reads a list of addresses (RFC 5322 section 3.4) leniently: no
// sequence of octets is an error.
type addressParser struct {
	src  []byte
	pos  int
	text []byte // the texts, without comments and quotes
	list []address
	max  int
}

// parseAddresses reads the addresses of a field and appends them to p.addrs;
// the result is those.
func (p *parser) parseAddresses(n *node, f field) []address {
	h, ok := p.rest(n, f)
	if !ok {
		return nil
	}
	if p.text == nil {
		// An empty text is not NIL: a slice of a nil one would be.
		p.text = make([]byte, 0, 256)
	}
	first := len(p.addrs)
	a := addressParser{src: h[:fieldEnd(h, 0)], text: p.text, list: p.addrs, max: first + maxAddresses}
	a.run()
	if len(a.list) >= a.max {
		p.limited = true
	}
	p.text, p.addrs = a.text, a.list
	return p.addrs[first:len(p.addrs):len(p.addrs)]
}

func (a *addressParser) next() byte {
	c := at(a.src, a.pos)
	a.pos++
	return c
}

func (a *addressParser) add(name, route, mailbox, domain []byte) {
	if len(name) == 0 {
		name = nil
	}
	if len(route) == 0 {
		route = nil
	}
	if domain != nil && len(domain) == 0 {
		domain = unspecifiedDomain
	}
	a.list = append(a.list, address{name, route, mailbox, domain})
}

var (
	inList  = []byte(",@<:")
	inGroup = []byte(",@<;")
	inAngle = []byte("@>")
	none    = []byte{}
)

func (a *addressParser) run() {
	group := false
	for tok := byte(' '); tok != end && len(a.list) < a.max; {
		stop := inList
		if group {
			stop = inGroup
		}
		var phrase []byte
		phrase, tok = a.phrase(stop)
		switch tok {
		case ',', end, ';':
			if len(phrase) > 0 {
				a.add(nil, nil, phrase, none)
			}
		case ':':
			a.add(nil, nil, phrase, nil)
			group = true
		case '@':
			var domain, comment []byte
			domain, comment, tok = a.domain()
			a.add(comment, nil, phrase, domain)
		case '<':
			tok = a.angle(phrase)
			continue
		}
		if tok == ';' {
			a.add(nil, nil, nil, nil)
			group = false
		}
	}
	if group {
		a.add(nil, nil, nil, nil)
	}
}

// angle reads what follows the "<" of an address.
func (a *addressParser) angle(phrase []byte) (tok byte) {
	mailbox, tok := a.phrase(inAngle)
	if tok != '@' {
		a.add(phrase, nil, mailbox, none)
		return tok
	}
	var route []byte
	if len(mailbox) == 0 {
		a.pos-- // the route has the "@" too
		if route, tok = a.route(); tok != ':' {
			a.add(phrase, route, none, none)
			return a.toAngle(tok)
		}
		if mailbox, tok = a.phrase(inAngle); tok != '@' {
			a.add(phrase, route, mailbox, none)
			return tok
		}
	}
	domain, _, tok := a.domain()
	a.add(phrase, route, mailbox, domain)
	return a.toAngle(tok)
}

// toAngle skips to the ">" of an address.
func (a *addressParser) toAngle(tok byte) byte {
	for tok != end && tok != '>' {
		tok = a.next()
	}
	return tok
}

// space skips white space and comments.
func (a *addressParser) space() {
	for {
		switch c := at(a.src, a.pos); {
		case isSpace(c):
			a.pos++
		case c == '(':
			a.comment(false)
		default:
			return
		}
	}
}

// comment skips the comment at a.pos, and keeps its text if asked. The text of
// an escape is the octet that follows; inside it, parentheses stay.
func (a *addressParser) comment(keep bool) []byte {
	n := len(a.text)
	a.pos++
	for level := 1; level > 0; {
		c := at(a.src, a.pos)
		if c == 0 {
			break
		}
		a.pos++
		switch c {
		case '(':
			level++
		case ')':
			level--
		case '\\':
			if c = at(a.src, a.pos); c != 0 {
				a.pos++
			}
		}
		if keep && level > 0 && c != 0 {
			a.text = append(a.text, c)
		}
	}
	return a.text[n:len(a.text):len(a.text)]
}

// phrase reads words up to an octet of stop, which it takes and returns. White
// space and comments become one space, quotes go. If a quoted string does not
// end, the phrase is empty and the field over.
func (a *addressParser) phrase(stop []byte) (text []byte, tok byte) {
	a.space()
	n := len(a.text)
	for {
		c := a.next()
		switch {
		case c == '"':
			if !a.quoted() {
				a.text = a.text[:n]
				return none, end
			}
		case isSpace(c) || c == '(':
			a.pos--
			a.space()
			a.text = append(a.text, ' ')
		case c == 0 || bytes.IndexByte(stop, c) >= 0:
			if k := len(a.text); k > n && a.text[k-1] == ' ' {
				a.text = a.text[:k-1]
			}
			return a.text[n:len(a.text):len(a.text)], c
		default:
			a.text = append(a.text, c)
		}
	}
}

// quoted reads a quoted string behind its first quote. Of control octets only
// tabs stay; CR and LF that are no fold become spaces.
func (a *addressParser) quoted() bool {
	for {
		c := a.next()
		if c == '\\' && at(a.src, a.pos) == '\r' && at(a.src, a.pos+1) == '\n' {
			c = a.next() // QUIRK: some clients escape the line end of a fold
		}
		if c == '\r' && at(a.src, a.pos) == '\n' {
			a.pos++
			if c = at(a.src, a.pos); c != ' ' && c != '\t' {
				return false
			}
			continue
		}
		switch {
		case c == 0:
			return false
		case c == '\r' || c == '\n':
			c = ' '
		case c == '"':
			return true
		case c == '\\':
			if c = a.next(); c == 0 {
				return false
			}
		case (c < ' ' || c == 0x7f) && c != '\t':
			continue
		}
		a.text = append(a.text, c)
	}
}

// domain reads a domain and, if one follows it, a comment. It returns the octet
// that ended it. Two dots in a row are one, a last dot goes.
func (a *addressParser) domain() (text, comment []byte, tok byte) {
	a.space()
	var buf [256]byte
	d := buf[:0] // the comment goes to a.text meanwhile
	for {
		c := a.next()
		switch {
		case isAlnum(c) || c == '-' || c == '[' || c == ']' || c == ':' || c == '@':
			d, comment = append(d, c), nil
		case c == '.':
			if len(d) > 0 && d[len(d)-1] != '.' {
				d = append(d, c)
			}
			comment = nil
		case c == '(':
			a.pos--
			comment = a.comment(true)
		case !isSpace(c):
			if len(d) > 0 && d[len(d)-1] == '.' {
				d = d[:len(d)-1]
			}
			n := len(a.text)
			a.text = append(a.text, d...)
			return a.text[n:len(a.text):len(a.text)], comment, c
		}
	}
}

// route reads a source route, "@a,@b", up to the octet that ends it.
func (a *addressParser) route() (text []byte, tok byte) {
	a.space()
	n := len(a.text)
	for {
		c := a.next()
		switch {
		case isAlnum(c) || c == '-' || c == '[' || c == ']' || c == ',' || c == '@':
			a.text = append(a.text, c)
		case c == '.':
			if k := len(a.text); k > n && a.text[k-1] != '.' {
				a.text = append(a.text, c)
			}
		case isSpace(c) || c == '(':
			a.pos--
			a.space()
		default:
			a.text = a.text[:n+len(bytes.TrimRight(a.text[n:], ".,@"))]
			return a.text[n:len(a.text):len(a.text)], c
		}
	}
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
