package mailsort

import (
	"bytes"

	"gocyrus/lib/charset"
)

// address is the first address of a list, or the name of the group that comes
// first.
type address struct{ name, mailbox, domain []byte }

// firstAddress reads the first address of a search form: "name <box@domain>,
// ...", names in quotes where they need them, "group:" in front of groups. What
// is no such list gives an empty address.
func firstAddress(b []byte) (a address) {
	b = bytes.TrimLeft(b, " ")
	if len(b) > 0 && b[0] == '"' {
		a.name, b = quoted(b)
	}
	i := bytes.IndexAny(b, "<:,;")
	if i < 0 {
		return address{}
	}
	if len(a.name) == 0 {
		a.name = bytes.TrimSpace(b[:i])
	}
	if b[i] == ':' {
		return address{mailbox: a.name}
	}
	end := bytes.IndexByte(b[i:], '>')
	if b[i] != '<' || end < 0 {
		return address{}
	}
	spec := b[i+1 : i+end]
	if colon := bytes.LastIndexByte(spec, ':'); colon >= 0 && spec[0] == '@' { // a route
		spec = spec[colon+1:]
	}
	a.mailbox = spec
	if at := bytes.LastIndexByte(spec, '@'); at >= 0 {
		a.mailbox, a.domain = spec[:at], spec[at+1:]
	}
	return a
}

// quoted reads the quoted string that b begins with.
func quoted(b []byte) (s, rest []byte) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			if i++; i < len(b) {
				s = append(s, b[i])
			}
		case '"':
			return s, b[i+1:]
		default:
			s = append(s, b[i])
		}
	}
	return s, nil
}

// localPart is what FROM, TO and CC compare (RFC 5256 section 3: the mailbox of
// the first address).
func localPart(list []byte) string { return string(firstAddress(list).mailbox) }

// displayName is what DISPLAYFROM and DISPLAYTO compare (RFC 5957): the name of
// the first address or, without one, the address.
func displayName(list []byte) string {
	a := firstAddress(list)
	switch {
	case len(a.name) > 0:
		var f charset.Folder
		return string(f.Fold(nil, a.name))
	case len(a.domain) > 0 && len(a.mailbox) > 0:
		return upper(append(append(bytes.Clone(a.mailbox), '@'), a.domain...))
	}
	return upper(a.mailbox)
}
