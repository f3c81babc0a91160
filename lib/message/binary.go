package message

import (
	"bytes"
	"encoding/base64"
	"math"
)

// binaryLine is the length of the base64 lines that EncodeBinary makes.
const binaryLine = 72

// EncodeBinary puts the parts of a message that have Content-Transfer-Encoding:
// binary into base64, and says so in their headers: mailboxes hold no NULs, an
// APPEND of a literal8 may bring some (RFC 3516 section 4.4). The result is nil
// if there are no such parts.
func EncodeBinary(b []byte, opts Options) []byte {
	if int64(len(b)) > math.MaxUint32 {
		return nil
	}
	p := parsers.Get().(*parser)
	defer p.release()
	p.reset(b, opts)
	p.undigested = true
	p.parseBody(-1, defaultText, 0)
	var out []byte
	done := 0
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.kind > text || n.contentSize == 0 || string(n.encoding) != "BINARY" {
			continue
		}
		field, _ := p.rest(n, fEncoding)
		value := field[:fieldEnd(field, 0)]
		at := indexFold(value, "binary")
		start := int(n.headerOffset + n.fields[fEncoding] - 1)
		content := p.span(int(n.contentOffset), int(n.contentSize))
		if at < 0 || start < done {
			continue
		}
		out = append(out, b[done:start+at]...)
		out = append(out, "base64"...)
		out = append(out, b[start+at+len("binary"):n.contentOffset]...)
		out = appendBase64(out, content)
		done = int(n.contentOffset) + len(content)
	}
	if out == nil {
		return nil
	}
	return append(out, b[done:]...)
}

// indexFold finds word, in lower case, in s in any case.
func indexFold(s []byte, word string) int {
	for i := 0; i+len(word) <= len(s); i++ {
		if bytes.EqualFold(s[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}

func appendBase64(out, content []byte) []byte {
	const line = binaryLine / 4 * 3
	for len(content) > 0 {
		n := min(line, len(content))
		out = base64.StdEncoding.AppendEncode(out, content[:n])
		out = append(out, '\r', '\n')
		content = content[n:]
	}
	return out
}
