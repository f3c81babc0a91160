package mboxname

import "strings"

// MaxCreate is the longest internal name that can be created, in octets
// (MAX_MAILBOX_CREATENAME of Cyrus 3.6).
const MaxCreate = 490

// good are the printable octets a new name may hold; "&" starts modified UTF-7.
const good = " #$'()*+,-.0123456789:=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz~"

var goodSet = func() (set [256]bool) {
	for i := range len(good) {
		set[good[i]] = true
	}
	return set
}()

// Check says whether a mailbox of this name may be created: its length, its
// characters, its components, and that its modified UTF-7 is canonical. Names
// of deleted mailboxes always may, as they were checked when they were new.
// The error is ErrBad.
func (n Name) Check() error {
	if n == "" || n[0] == '$' {
		return ErrBad
	}
	if n.IsDeleted() {
		return nil
	}
	rest := n.Local()
	switch {
	case len(n) > MaxCreate, rest == "", rest[0] == '.', rest[0] == '~', rest[len(rest)-1] == '.',
		strings.Contains(rest, ".."), rest == "user", rest == "user.anyone", rest == "user.anonymous",
		strings.HasPrefix(rest, "user.%"):
		return ErrBad
	}
	for _, c := range strings.Split(rest, ".") {
		// A component of a legacy mailbox is a directory.
		if len(c) > 254 {
			return ErrBad
		}
	}
	return checkText(rest)
}

func checkText(s string) error {
	afterShift := false // the last octets ended a shifted sequence
	for i := 0; i < len(s); {
		if s[i] != '&' {
			if !goodSet[s[i]] {
				return ErrBad
			}
			i, afterShift = i+1, false
			continue
		}
		end := strings.IndexByte(s[i:], '-')
		if end < 0 {
			return ErrBad
		}
		if shifted := s[i+1 : i+end]; shifted == "" {
			afterShift = false // "&-" is an ampersand
		} else if afterShift || !canonicalShift(shifted) {
			return ErrBad
		} else {
			afterShift = true
		}
		i += end + 1
	}
	return nil
}

// canonicalShift reports whether s, the octets between "&" and "-", is base64
// of UTF-16 without octets that plain ASCII could say and without stray bits
// at the end (RFC 3501 section 5.1.3).
func canonicalShift(s string) bool {
	var acc uint32
	bits := 0
	for i := range len(s) {
		v := base64Value(s[i])
		if v < 0 {
			return false
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 16 {
			bits -= 16
			if unit := acc >> bits & 0xffff; unit&0xff80 == 0 {
				return false
			}
			acc &= 1<<bits - 1
		}
	}
	return bits < 6 && acc == 0
}

func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == ',':
		return 63
	}
	return -1
}
