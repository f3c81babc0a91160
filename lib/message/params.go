package message

import (
	"bytes"
	"strconv"

	"gocyrus/lib/charset"
)

// parseParams reads the parameters that follow the first ";" of a structured
// field. One that is malformed is left out, up to the next ";"; values may hold
// blanks and octets that RFC 2045 would have quoted.
func (p *parser) parseParams(h []byte) []param {
	first := len(p.params)
	for i := 0; i >= 0; {
		i = p.parseParam(h, i)
	}
	list := p.foldParams(p.params[first:])
	p.params = p.params[:first+len(list)]
	return p.params[first:len(p.params):len(p.params)]
}

// parseParam reads one parameter at h[i] and adds it to p.params. It returns
// where the next one starts, or -1 at the end of the field.
func (p *parser) parseParam(h []byte, i int) int {
	if i = skipSpace(h, i); i < 0 {
		return -1
	}
	start := i
	end := token(h, i, '=')
	if end < 0 {
		return skipParam(h, badTokenEnd(h, i))
	}
	attribute := h[start:end]
	if i = skipSpace(h, end); i < 0 {
		return -1
	}
	if h[i] != '=' {
		return skipParam(h, i+1)
	}
	if i = skipSpace(h, i+1); i < 0 {
		return -1
	}
	quoted := h[i] == '"'
	start = i
	if quoted {
		if i = quotedEnd(h, i); i < 0 {
			return -1
		}
	} else {
		var ok bool
		if i, ok = valueEnd(h, i); !ok {
			return skipParam(h, i)
		}
	}
	value := h[start:i]
	if i = skipSpace(h, i); i >= 0 {
		if h[i] != ';' {
			return skipParam(h, i+1)
		}
		i++
	}
	if quoted {
		value = p.unquote(value)
	}
	p.params = append(p.params, param{p.upper(attribute), value})
	return i
}

// skipParam goes to the next parameter of the field after a malformed one.
func skipParam(h []byte, i int) int {
	for ; i < len(h); i++ {
		switch h[i] {
		case ';':
			return i + 1
		case '\r', '\n', 0:
			return i
		}
	}
	return i
}

// badTokenEnd is the position of the octet that spoils the token at h[i].
func badTokenEnd(h []byte, i int) int {
	for !tspecial[at(h, i)] {
		i++
	}
	return i
}

// quotedEnd is the position behind the quoted string at h[i], -1 if the field
// ends within.
func quotedEnd(h []byte, i int) int {
	for i++; ; i++ {
		c := at(h, i)
		if c == '"' {
			return i + 1
		}
		if c == '\\' {
			i++
			c = at(h, i)
		}
		switch c {
		case 0:
			return -1
		case '\r':
			if at(h, i+1) != '\n' || at(h, i+2) != ' ' && at(h, i+2) != '\t' {
				return -1
			}
			i += 2
		}
	}
}

// unquote is the text of a quoted string that quotedEnd has found; line ends of
// folds are dropped.
func (p *parser) unquote(s []byte) []byte {
	body := s[1 : len(s)-1]
	if bytes.IndexByte(body, '\\') < 0 && bytes.IndexByte(body, '\r') < 0 {
		return body
	}
	n := len(p.text)
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '\r':
			i += 2
		}
		if i < len(body) {
			p.text = append(p.text, body[i])
		}
	}
	return p.text[n:len(p.text):len(p.text)]
}

// valueEnd is the end of an unquoted value at h[i], without white space after
// it. A control octet spoils the parameter; then the result is its position.
func valueEnd(h []byte, i int) (end int, ok bool) {
	end = i
	for {
		switch c := at(h, i); {
		case c == 0 || c == ';' || c == '(':
			return end + 1, true
		case c == '\r':
			if at(h, i+1) != '\n' || at(h, i+2) != ' ' && at(h, i+2) != '\t' {
				return end + 1, true
			}
			i += 2
		case c < ' ' && c != '\t':
			return i, false
		case c == ' ' || c == '\t':
			i++
		default:
			end = i
			i++
		}
	}
}

// foldParams joins the pieces of RFC 2231 section 3: FOO*0, FOO*1, ... become
// FOO, or FOO* if any piece is in the extended form, the others then being put
// into it. At most 100 pieces are joined.
func (p *parser) foldParams(list []param) []param {
	var index map[string][]int
	gone := 0
	for i := range list {
		name, extended, ok := firstPiece(list[i].attribute)
		if !ok {
			continue
		}
		if index == nil {
			index = make(map[string][]int)
			for k := range list {
				a := string(list[k].attribute)
				index[a] = append(index[a], k)
			}
		}
		value := bytes.Clone(list[i].value)
		for section := 1; section < 100; section++ {
			k, ext := takePiece(index, string(name)+"*"+strconv.Itoa(section))
			if k < 0 {
				break
			}
			piece := list[k].value
			switch {
			case ext && !extended:
				value = append(escape([]byte("''"), value), piece...)
				extended = true
			case extended && !ext:
				value = escape(value, piece)
			default:
				value = append(value, piece...)
			}
			list[k].attribute, list[k].value = nil, nil
			gone++
		}
		if extended {
			name = append(bytes.Clone(name), '*')
		}
		list[i] = param{name, value}
	}
	if gone == 0 {
		return list
	}
	kept := list[:0]
	for _, q := range list {
		if q.attribute != nil {
			kept = append(kept, q)
		}
	}
	return kept
}

// firstPiece splits an attribute FOO*0 or FOO*0*.
func firstPiece(attribute []byte) (name []byte, extended, ok bool) {
	name, rest, ok := bytes.Cut(attribute, []byte{'*'})
	if !ok {
		return nil, false, false
	}
	switch string(rest) {
	case "0":
		return name[:len(name):len(name)], false, true
	case "0*":
		return name[:len(name):len(name)], true, true
	}
	return nil, false, false
}

// takePiece takes the first parameter named key or key* out of the index; -1 if
// there is none.
func takePiece(index map[string][]int, key string) (i int, extended bool) {
	plain, ext := index[key], index[key+"*"]
	switch {
	case len(plain) > 0 && (len(ext) == 0 || plain[0] < ext[0]):
		index[key] = plain[1:]
		return plain[0], false
	case len(ext) > 0:
		index[key+"*"] = ext[1:]
		return ext[0], true
	}
	return -1, false
}

// escape appends s in the extended form.
func escape(dst, s []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range s {
		if c == ' ' || c >= 0x7f || c == '*' || c == '\'' || c == '%' || tspecial[c] {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// boundaryParam is the boundary of a multipart.
func boundaryParam(params []param) (id []byte, ok bool) {
	for _, q := range params {
		switch string(q.attribute) {
		case "BOUNDARY":
			return q.value, true
		case "BOUNDARY*":
			if v, ok := charset.DecodeExtended(q.value); ok {
				return v, true
			}
			return q.value, true
		}
	}
	return nil, false
}
