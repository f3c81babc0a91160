package imapwire

// wordEnd are the octets that end a word: Cyrus is liberal in all others.
var wordEnd = charTable(" \t\n\v\f\r()\"")

// notAtom are the octets that an atom may not hold (RFC 9051 section 9,
// atom-specials), beyond controls and eight-bit ones.
var notAtom = charTable(" (){%*\"\\]")

// notTag is the same for a tag, which may hold "]". It may not hold "+" either
// (RFC 9051 section 9), but Cyrus lets it.
var notTag = charTable(" (){%*\"\\")

func charTable(chars string) *[256]bool {
	var t [256]bool
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return &t
}

func all(s string, not *[256]bool) bool {
	for i := range len(s) {
		if b := s[i]; b < 0x20 || b >= 0x7f || not[b] {
			return false
		}
	}
	return s != ""
}

// IsAtom reports whether s can be an atom.
func IsAtom(s string) bool { return all(s, notAtom) }

// IsTag reports whether s can tag a command.
func IsTag(s string) bool { return all(s, notTag) }

// isNatom says whether s goes out bare where an astring or nstring may stand:
// atoms, but for brackets, which clients have been seen to trip over, and
// "NIL".
func isNatom(s string) bool {
	if len(s) == 3 && (s[0]|0x20) == 'n' && (s[1]|0x20) == 'i' && (s[2]|0x20) == 'l' {
		return false
	}
	return all(s, notAtom)
}

// isQuotable says whether s can be a quoted string without escapes, as Cyrus
// decides it: seven-bit, no controls, no quote, backslash or percent sign, and
// shorter than 1024.
func isQuotable(s string) bool {
	if len(s) >= 1024 {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if b == 0 || b >= 0x80 || b == '\r' || b == '\n' || b == '"' || b == '%' || b == '\\' {
			return false
		}
	}
	return true
}
