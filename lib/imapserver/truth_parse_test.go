package imapserver

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader reads the values of a FETCH answer: a list is a []any, NIL is nil,
// everything else a string.
type reader struct{ *bufio.Reader }

// message reads "(NAME value NAME value ...)" into a map. BODY[...] and the like
// are names of their own.
func (r reader) message() (map[string]any, error) {
	if b, err := r.ReadByte(); err != nil || b != '(' {
		return nil, fmt.Errorf("no list: %q, %v", b, err)
	}
	m := map[string]any{}
	for {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		v, err := r.value()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m[name] = v
		b, err := r.ReadByte()
		if err != nil || b == ')' {
			return m, err
		}
	}
}

// name reads up to a space that is not in brackets.
func (r reader) name() (string, error) {
	var s strings.Builder
	depth := 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return s.String(), err
		}
		switch b {
		case '[':
			depth++
		case ']':
			depth--
		case ' ':
			if depth == 0 {
				return s.String(), nil
			}
		}
		s.WriteByte(b)
	}
}

func (r reader) value() (any, error) {
	b, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	switch b {
	case '(':
		return r.list()
	case '"':
		return r.quoted()
	case '~':
		if _, err := r.ReadByte(); err != nil {
			return nil, err
		}
		return r.literal()
	case '{':
		return r.literal()
	}
	if err := r.UnreadByte(); err != nil {
		return nil, err
	}
	var s strings.Builder
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b == ' ' || b == ')' || b == '(' {
			err = r.UnreadByte()
			if s.String() == "NIL" {
				return nil, err
			}
			return s.String(), err
		}
		s.WriteByte(b)
	}
}

func (r reader) list() (any, error) {
	list := []any{}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch b {
		case ')':
			return list, nil
		case ' ':
			continue
		}
		if err := r.UnreadByte(); err != nil {
			return nil, err
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (r reader) quoted() (any, error) {
	var s strings.Builder
	for {
		b, err := r.ReadByte()
		if err != nil || b == '"' {
			return text(s.String()), err
		}
		if b == '\\' {
			if b, err = r.ReadByte(); err != nil {
				return nil, err
			}
		}
		s.WriteByte(b)
	}
}

func (r reader) literal() (any, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(head, "}\r\n"))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return text(string(b)), err
}

// text is s as the truth files spell it: UTF-8, or else its octets as Latin-1.
// Bodies are compared by their octets: see raw.
func text(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return raw(s)
}

// raw is a string that is not UTF-8.
type raw string

func (s raw) latin1() string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
