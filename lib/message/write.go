package message

import (
	"encoding/binary"
	"strconv"
)

// numItems is the number of items of a cache record.
const numItems = 10

// record makes the cache record of the message at root: its items in order,
// each with its length before it and padded to a multiple of four.
func (p *parser) record(root int32) []byte {
	n := &p.nodes[root]
	p.out = p.out[:0]
	p.addrs = p.addrs[:0]
	env := p.envelope(n)
	p.item(env.text)
	p.bs, p.body = p.bs[:0], p.body[:0]
	p.structure(root)
	p.item(p.bs)
	p.item(p.body)
	p.scratch = p.messageTable(p.scratch[:0], root)
	p.item(p.scratch)
	p.item(p.cached)
	for _, list := range [][]address{env.from, env.to, env.cc, env.bcc} {
		p.scratch = p.searchAddresses(p.scratch[:0], list)
		p.item(p.scratch)
	}
	p.scratch = p.searchSubject(p.scratch[:0], n)
	p.item(p.scratch)
	return p.out
}

func (p *parser) item(b []byte) {
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(len(b)))
	p.out = append(p.out, b...)
	for len(p.out)%4 != 0 {
		p.out = append(p.out, 0)
	}
}

// envelope is the text of an envelope, and the addresses that search forms are
// made of. It holds until the parser's scratch buffer is used again.
type envelope struct {
	text              []byte
	from, to, cc, bcc []address
}

// envelope makes the envelope of the message whose header is n's.
func (p *parser) envelope(n *node) (e envelope) {
	e.from = p.parseAddresses(n, fFrom)
	sender, replyTo := p.parseAddresses(n, fSender), p.parseAddresses(n, fReplyTo)
	e.to, e.cc, e.bcc = p.parseAddresses(n, fTo), p.parseAddresses(n, fCc), p.parseAddresses(n, fBcc)
	if len(sender) == 0 {
		sender = e.from
	}
	if len(replyTo) == 0 {
		replyTo = e.from
	}
	b := append(p.scratch[:0], '(')
	b = p.appendField(b, n, fDate)
	b = append(b, ' ')
	b = p.appendField(b, n, fSubject)
	for _, list := range [...][]address{e.from, sender, replyTo, e.to, e.cc, e.bcc} {
		b = append(b, ' ')
		b = appendAddresses(b, list)
	}
	b = append(b, ' ')
	b = p.appendField(b, n, fInReplyTo)
	b = append(b, ' ')
	b = p.appendField(b, n, fMessageID)
	p.scratch = append(b, ')')
	e.text = p.scratch
	return e
}

func appendAddresses(b []byte, list []address) []byte {
	if len(list) == 0 {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for _, a := range list {
		b = append(b, '(')
		b = appendNString(b, a.name)
		b = append(b, ' ')
		b = appendNString(b, a.route)
		b = append(b, ' ')
		b = appendNString(b, a.mailbox)
		b = append(b, ' ')
		b = appendNString(b, a.domain)
		b = append(b, ')')
	}
	return append(b, ')')
}

// appendField appends an unstructured field as an nstring, unfolded.
func (p *parser) appendField(b []byte, n *node, f field) []byte {
	v, ok := p.value(n, f)
	if !ok {
		return append(b, "NIL"...)
	}
	k := len(p.text)
	p.text = unfold(p.text, v)
	b = appendNString(b, p.text[k:len(p.text):len(p.text)])
	p.text = p.text[:k]
	return b
}

// maxQuoted is the length from which a text is a literal.
const maxQuoted = 1024

// needsLiteral marks octets that a quoted string of the cache never holds.
var needsLiteral = func() (t [256]bool) {
	for _, c := range []byte("\x00\r\n\"%\\") {
		t[c] = true
	}
	for c := 0x80; c < len(t); c++ {
		t[c] = true
	}
	return t
}()

// appendNString appends s as an nstring (RFC 3501 section 9): nil is NIL, what
// a quoted string cannot hold a literal.
func appendNString(b, s []byte) []byte {
	if s == nil {
		return append(b, "NIL"...)
	}
	literal := len(s) >= maxQuoted
	if !literal {
		for _, c := range s {
			if needsLiteral[c] {
				literal = true
				break
			}
		}
	}
	if literal {
		b = append(b, '{')
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(b, "}\r\n"...)
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
