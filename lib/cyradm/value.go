package cyradm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrProtocol is the error of an answer that is no IMAP.
var ErrProtocol = errors.New("unexpected answer from the server")

// maxDepth bounds lists in lists.
const maxDepth = 32

// value is one datum of an answer: a string in any of IMAP's forms, NIL, or a
// list in parentheses.
type value struct {
	text   string
	items  []value
	raw    string // a list as it came
	isList bool
	isNil  bool
}

// String is the value as cyradm shows it: NIL has a name, a list its words.
func (v value) String() string {
	switch {
	case v.isNil:
		return "NIL"
	case v.isList:
		return join(v.items)
	}
	return v.text
}

func join(list []value) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
		if v.isList {
			words[i] = "(" + words[i] + ")"
		}
	}
	return strings.Join(words, " ")
}

// parseValues reads the values of an answer, in which literals stand as they
// came: {n}, line end, n octets.
func parseValues(s string) ([]value, error) {
	p := valueParser{s: s}
	vs, err := p.values(0)
	if err == nil && p.i < len(p.s) {
		err = fmt.Errorf("%w: unmatched )", ErrProtocol)
	}
	return vs, err
}

type valueParser struct {
	s string
	i int
}

// values reads up to the end or a closing parenthesis, which it leaves.
func (p *valueParser) values(depth int) ([]value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: lists too deep", ErrProtocol)
	}
	var vs []value
	for {
		for p.i < len(p.s) && p.s[p.i] == ' ' {
			p.i++
		}
		if p.i == len(p.s) || p.s[p.i] == ')' {
			return vs, nil
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
}

func (p *valueParser) value(depth int) (v value, err error) {
	switch p.s[p.i] {
	case '(':
		start := p.i
		p.i++
		v.isList = true
		if v.items, err = p.values(depth + 1); err != nil {
			return v, err
		}
		if p.i == len(p.s) {
			return v, fmt.Errorf("%w: unmatched (", ErrProtocol)
		}
		p.i++
		v.raw = p.s[start:p.i]
		return v, nil
	case '"':
		v.text, err = p.quoted()
		return v, err
	case '{':
		v.text, err = p.literal()
		return v, err
	}
	end := strings.IndexAny(p.s[p.i:], " ()\"")
	if end < 0 {
		end = len(p.s) - p.i
	}
	v.text = p.s[p.i : p.i+end]
	v.isNil = strings.EqualFold(v.text, "NIL")
	p.i += end
	return v, nil
}

func (p *valueParser) quoted() (string, error) {
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return b.String(), nil
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("%w: string without end", ErrProtocol)
}

func (p *valueParser) literal() (string, error) {
	count, rest, ok := strings.Cut(p.s[p.i+1:], "}\r\n")
	n, err := strconv.ParseUint(count, 10, 31)
	if !ok || err != nil || int(n) > len(rest) {
		return "", fmt.Errorf("%w: literal", ErrProtocol)
	}
	p.i = len(p.s) - len(rest) + int(n)
	return rest[:n], nil
}
