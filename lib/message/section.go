package message

import (
	"encoding/binary"

	"gocyrus/lib/charset"
)

// container is the encoding word of what is not a leaf.
const container = 0xffff

// messageTable appends the section table of the message at node i: part 0 is
// the message itself, the others the parts of its body, which are one if it is
// no multipart. docs/format/cyrus.cache.md has the layout.
func (p *parser) messageTable(b []byte, i int32) []byte {
	n := &p.nodes[i]
	if n.numParts > 0 {
		b = word(b, uint32(n.numParts)+1)
		b = place(b, n, n.contentSize)
		b = digest(word(b, container), n)
		for c := n.first; c >= 0; c = p.nodes[c].next {
			s := &p.nodes[c]
			b = place(b, s, contentSize(s))
			b = digest(encoding(b, s), s)
		}
		return p.subtables(b, i)
	}
	b = word(b, 2)
	b = place(b, n, n.contentSize)
	b = digest(word(b, container), n)
	b = place(b, n, contentSize(n))
	if n.kind == multipart {
		b = digest(word(b, container), &node{})
	} else {
		b = digest(encoding(b, n), n)
	}
	return p.table(b, i)
}

// table appends the section table below part i.
func (p *parser) table(b []byte, i int32) []byte {
	n := &p.nodes[i]
	switch {
	case n.kind == message:
		return p.messageTable(b, n.first)
	case n.numParts == 0:
		return word(b, 0)
	}
	// Part 0 of a multipart cannot be fetched.
	b = word(b, uint32(n.numParts)+1)
	b = word(word(word(word(b, 0), 0xffffffff), 0), 0xffffffff)
	b = digest(word(b, container), &node{})
	for c := n.first; c >= 0; c = p.nodes[c].next {
		s := &p.nodes[c]
		b = place(b, s, contentSize(s))
		if emptyMultipart(s) {
			b = digest(word(b, container), s)
		} else {
			b = digest(encoding(b, s), s)
		}
	}
	return p.subtables(b, i)
}

func (p *parser) subtables(b []byte, i int32) []byte {
	for c := p.nodes[i].first; c >= 0; c = p.nodes[c].next {
		b = p.table(b, c)
	}
	return b
}

func emptyMultipart(n *node) bool { return n.kind == multipart && n.numParts == 0 }

// contentSize is the content size that a table shows: none for a multipart
// without parts, which its structure calls an empty text.
func contentSize(n *node) uint32 {
	if emptyMultipart(n) {
		return 0
	}
	return n.contentSize
}

func word(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

func place(b []byte, n *node, size uint32) []byte {
	return word(word(word(word(b, n.headerOffset), n.headerSize), n.contentOffset), size)
}

func digest(b []byte, n *node) []byte {
	b = append(b, n.guid[:]...)
	return word(word(b, n.decodedSize), n.contentLines)
}

// encoding appends the encoding word and the name of the character set, which
// texts and messages other than message/rfc822 have.
func encoding(b []byte, n *node) []byte {
	name := ""
	switch {
	case n.kind == text:
		name = textCharset(n.params)
	case n.kind != message && string(n.typ) == "MESSAGE":
		name = "us-ascii"
	}
	size := (len(name)/4 + 1) * 4 // at least one NUL ends it
	if name == "" || size > 0xffff {
		return word(b, uint32(n.enc))
	}
	b = word(b, uint32(size)<<16|uint32(n.enc))
	b = append(b, name...)
	for k := len(name); k < size; k++ {
		b = append(b, 0)
	}
	return b
}

// textCharset is the character set of a text: the last one named that is known,
// in the sender's spelling.
func textCharset(params []param) string {
	name := "us-ascii"
	for _, q := range params {
		if string(q.attribute) == "CHARSET" {
			if cs := charset.LookupBytes(q.value); cs != nil {
				name = cs.Name
			}
		}
	}
	return name
}
