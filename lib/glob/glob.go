// Package glob matches mailbox names against the patterns of LIST (RFC 9051
// section 6.3.9): "*" stands for any octets, "%" for any but the hierarchy
// separator. The name INBOX, alone or as the first component, matches in any
// case.
//
// Matching takes time proportional to the product of the lengths, whatever the
// pattern.
package glob

import "strings"

// Pattern is a compiled pattern. It is immutable.
type Pattern struct {
	text string // INBOX in capitals, runs of wildcards reduced
	sep  byte
	lit  int // length of the part before the first wildcard
}

const inbox = "INBOX"

// Compile makes a pattern for names whose components sep separates.
func Compile(pattern string, sep byte) *Pattern {
	p := &Pattern{text: reduce(foldInbox(pattern, sep)), sep: sep}
	p.lit = strings.IndexAny(p.text, "*%")
	if p.lit < 0 {
		p.lit = len(p.text)
	}
	return p
}

// foldInbox puts INBOX at the front in capitals.
func foldInbox(s string, sep byte) string {
	if len(s) >= len(inbox) && strings.EqualFold(s[:len(inbox)], inbox) &&
		(len(s) == len(inbox) || s[len(inbox)] == sep || s[len(inbox)] == '*' || s[len(inbox)] == '%') {
		return inbox + s[len(inbox):]
	}
	return s
}

// reduce makes one wildcard of a run: a "*" in it stands for all.
func reduce(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '*' && s[i] != '%' {
			b.WriteByte(s[i])
			i++
			continue
		}
		wild := byte('%')
		for ; i < len(s) && (s[i] == '*' || s[i] == '%'); i++ {
			if s[i] == '*' {
				wild = '*'
			}
		}
		b.WriteByte(wild)
	}
	return b.String()
}

// Literal is what every matching name begins with, and whether the pattern has
// no wildcard: then it matches that name alone.
func (p *Pattern) Literal() (prefix string, whole bool) {
	return p.text[:p.lit], p.lit == len(p.text)
}

// Tail is what every matching name ends with: the part after the last wildcard.
func (p *Pattern) Tail() string { return p.text[strings.LastIndexAny(p.text, "*%")+1:] }

// Match reports whether the pattern matches the whole name.
func (p *Pattern) Match(name string) bool {
	if !strings.HasPrefix(name, p.text[:p.lit]) {
		return false
	}
	name, pat := name[p.lit:], p.text[p.lit:]
	switch pat {
	case "":
		return name == ""
	case "*":
		return true
	case "%":
		return strings.IndexByte(name, p.sep) < 0
	}
	return p.match(pat, name)
}

// match walks name once, keeping where to go on when the last "*" or the last
// "%" behind it should have taken one octet more. Going back to an earlier
// wildcard than these is never of use.
func (p *Pattern) match(pat, name string) bool {
	const none = -1
	var i, j int
	starPat, starName := none, 0
	percPat, percName := none, 0
	for j < len(name) || i < len(pat) {
		if i < len(pat) {
			switch c := pat[i]; {
			case c == '*':
				starPat, starName = i, j
				percPat = none
				i++
				continue
			case c == '%':
				percPat, percName = i, j
				i++
				continue
			case j < len(name) && c == name[j]:
				i++
				j++
				continue
			}
		}
		switch {
		case percPat != none && percName < len(name) && name[percName] != p.sep:
			percName++
			i, j = percPat+1, percName
		case starPat != none && starName < len(name):
			starName++
			percPat = none
			i, j = starPat+1, starName
		default:
			return false
		}
	}
	return true
}

// Set is some patterns; a name matches that any of them matches.
type Set []*Pattern

// CompileSet compiles each of patterns.
func CompileSet(patterns []string, sep byte) Set {
	s := make(Set, len(patterns))
	for i, p := range patterns {
		s[i] = Compile(p, sep)
	}
	return s
}

// Match reports whether any pattern matches.
func (s Set) Match(name string) bool {
	for _, p := range s {
		if p.Match(name) {
			return true
		}
	}
	return false
}
