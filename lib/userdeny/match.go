package userdeny

import "strings"

// match compares a name with a pattern of netnews form (wildmat): "*" is any
// text, "?" one octet, "[a-z]" one of a set and "[^a-z]" one outside it, and "\"
// takes the next octet as it is. The time is bounded by the product of both
// lengths.
func match(pattern, name string) bool {
	p, n := 0, 0
	starP, starN := -1, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			starP, starN = p, n
			p++
			continue
		}
		if next, ok := matchOne(pattern, p, name[n]); ok {
			p, n = next, n+1
			continue
		}
		if starP < 0 {
			return false
		}
		starN++ // let the last star take one octet more
		p, n = starP+1, starN
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne compares one octet with the element of pattern at p and returns
// where the next element begins.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	if p >= len(pattern) {
		return p, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '\\':
		if p+1 < len(pattern) {
			return p + 2, pattern[p+1] == c
		}
	case '[':
		if end := strings.IndexByte(pattern[p+1:], ']'); end > 0 {
			return p + 2 + end, inSet(pattern[p+1:p+1+end], c)
		}
	}
	return p + 1, pattern[p] == c
}

func inSet(set string, c byte) bool {
	set, not := strings.CutPrefix(set, "^")
	in := false
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			in = in || set[i] <= c && c <= set[i+2]
			i += 2
			continue
		}
		in = in || set[i] == c
	}
	return in != not
}
