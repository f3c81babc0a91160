package masterconf

import (
	"fmt"
	"strings"
)

// maxAttributes bounds the attributes of one entry.
const maxAttributes = 64

// parser reads one section out of the lines of a file.
type parser struct {
	file    string
	lines   []string
	section Section
	n       int // lines taken; the number of the last
}

// run finds the section and reads it. Entries before a mistake are returned
// with it.
func (p *parser) run() ([]Entry, error) {
	level := 0
	for p.n < len(p.lines) {
		line := p.lines[p.n]
		p.n++
		if level != 0 || !p.opens(line) {
			level += braces(line)
			continue
		}
		if level = braces(line[len(p.section.String()):]); level == 1 {
			return p.body()
		}
	}
	return nil, nil
}

// opens says whether the section's name begins the line: the first letter as it
// is, the others in any case.
func (p *parser) opens(line string) bool {
	name := p.section.String()
	n := len(name)
	return len(line) >= n && line[0] == name[0] && strings.EqualFold(line[:n], name) &&
		(len(line) == n || !isAlnum(line[n]))
}

func braces(s string) int { return strings.Count(s, "{") - strings.Count(s, "}") }

func (p *parser) body() ([]Entry, error) {
	var entries []Entry
	for p.n < len(p.lines) {
		line := p.lines[p.n]
		p.n++
		if line == "" {
			continue
		}
		if line[0] == '}' {
			break
		}
		i := 0
		for i < len(line) && isAlnum(line[i]) {
			i++
		}
		if i == 0 {
			// Not an entry; passed over, but it may close the section.
			if strings.Contains(line, "}") {
				break
			}
			continue
		}
		if i < len(line) && !strings.Contains(blanks, line[i:i+1]) {
			return entries, p.bad("bad character '%c' in name", line[i])
		}
		a, err := p.attributes(line[i:])
		if err != nil {
			return entries, err
		}
		entries = append(entries, newEntry(p.section, line[:i], p.n, a))
	}
	return entries, nil
}

func (p *parser) bad(format string, args ...any) error {
	return &Error{Line: p.n, Text: fmt.Sprintf("configuration file %s: %s on line %d", p.file, fmt.Sprintf(format, args...), p.n)}
}

// attributes reads key=value and key="value" up to the end of the line. The
// first of a key wins.
func (p *parser) attributes(s string) (attributes, error) {
	a := make(attributes)
	for n := 0; ; n++ {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return a, nil
		}
		i := 0
		for i < len(s) && isAlnum(s[i]) {
			i++
		}
		if i == len(s) {
			return nil, p.bad("bad character '' in argument")
		}
		if s[i] != '=' {
			return nil, p.bad("bad character '%c' in argument", s[i])
		}
		key, value, rest := s[:i], "", s[i+1:]
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, ok = strings.Cut(quoted, `"`)
			if !ok {
				return nil, p.bad(`missing "`)
			}
		} else if end := strings.IndexAny(rest, blanks); end >= 0 {
			value, rest = rest[:end], rest[end:]
		} else {
			value, rest = rest, ""
		}
		if n == maxAttributes {
			return nil, p.bad("too many arguments")
		}
		if _, ok := a[key]; !ok {
			a[key] = value
		}
		s = rest
	}
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
