package imapserver

import "bytes"

// nextField cuts the first header field, with its continuation lines and line
// end, off header. name is what stands before the colon; it is empty for a line
// that is no field, and nil when the header has ended.
func nextField(header []byte) (field, name, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			end = len(header)
			break
		}
		end += i + 1
		if end == len(header) || header[end] != ' ' && header[end] != '\t' {
			break
		}
	}
	field, rest = header[:end], header[end:]
	if i := bytes.IndexByte(field, ':'); i > 0 {
		name = field[:i]
		for len(name) > 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') {
			name = name[:len(name)-1]
		}
	}
	return field, name, rest
}

// blank says whether a line is the one that ends a header.
func blank(line []byte) bool {
	return len(line) == 0 || line[0] == '\n' || line[0] == '\r' && len(line) > 1 && line[1] == '\n'
}

// appendFields appends the fields of header whose names are in names, or with
// not those whose are not, as they stand, and the empty line that ends a header
// (RFC 9051 section 6.4.5, HEADER.FIELDS).
func appendFields(b, header []byte, names []string, not bool) []byte {
	for len(header) > 0 {
		field, name, rest := nextField(header)
		if blank(field) {
			break
		}
		if name != nil && named(name, names) != not {
			b = append(b, field...)
		}
		header = rest
	}
	return append(b, '\r', '\n')
}

// named says whether name is one of names, in any case.
func named(name []byte, names []string) bool {
	for _, n := range names {
		// The first letter tells most names of one length apart.
		if len(n) == len(name) && (n == "" || n[0]|0x20 == name[0]|0x20) && bytes.EqualFold(name, []byte(n)) {
			return true
		}
	}
	return false
}
