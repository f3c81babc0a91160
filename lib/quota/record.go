package quota

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"gocyrus/lib/mboxname"
)

// keys are the resources in a record, in the order they are written.
var keys = [NumResources]string{"S", "M", "AS", "NF"}

func (q *Root) append(b []byte) []byte {
	b = append(b, "%("...)
	for r, k := range keys {
		if r > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, k...), " ("...)
		b = strconv.AppendInt(b, q.Used[r], 10)
		if q.Limit[r] >= 0 {
			b = strconv.AppendInt(append(b, ' '), q.Limit[r], 10)
		}
		b = append(b, ')')
	}
	b = strconv.AppendUint(append(b, " MODSEQ "...), q.ModSeq, 10)
	return append(append(b, q.rest...), ')')
}

func parse(name mboxname.Name, v []byte) (*Root, error) {
	q := New(name)
	text := string(bytes.TrimSpace(v))
	var ok bool
	if strings.HasPrefix(text, "%(") && strings.HasSuffix(text, ")") {
		ok = q.parseKeyed(text[2 : len(text)-1])
	} else {
		ok = q.parseOld(strings.Fields(text))
	}
	if !ok {
		return nil, fmt.Errorf("quota root %s: %w", name, ErrFormat)
	}
	return q, nil
}

// parseKeyed reads what stands between %( and ).
func (q *Root) parseKeyed(s string) bool {
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		key, rest, ok := strings.Cut(s, " ")
		value, rest, ok2 := cutValue(rest)
		if !ok || !ok2 {
			return false
		}
		s = rest
		if key == "MODSEQ" {
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return false
			}
			q.ModSeq = n
			continue
		}
		r := resourceOf(key)
		if r < 0 {
			// SCAN of a quota -f that is running, or of a later Cyrus.
			q.rest += " " + key + " " + value
			continue
		}
		inner, isList := strings.CutPrefix(value, "(")
		if !q.setNumbers(r, strings.Fields(strings.TrimSuffix(inner, ")"))) || !isList {
			return false
		}
	}
	return true
}

func resourceOf(key string) Resource {
	for r, k := range keys {
		if k == key {
			return Resource(r)
		}
	}
	return -1
}

func (q *Root) setNumbers(r Resource, f []string) bool {
	if len(f) < 1 || len(f) > 2 {
		return false
	}
	used, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return false
	}
	q.Used[r] = max(0, used)
	if len(f) == 2 {
		limit, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return false
		}
		q.Limit[r] = max(Unlimited, limit)
	}
	return true
}

// cutValue takes one atom or one list, whatever is nested in it, off s.
func cutValue(s string) (value, rest string, ok bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return "", "", false
			}
		case ' ':
			if depth == 0 {
				return s[:i], s[i:], i > 0
			}
		}
	}
	return s, "", depth == 0 && s != ""
}

// parseOld reads the form of Cyrus up to 2.4: usage and limit of storage, then
// "M" with usage and limit of messages.
func (q *Root) parseOld(f []string) bool {
	if len(f) < 2 || !q.setNumbers(Storage, f[:2]) {
		return false
	}
	for f = f[2:]; len(f) >= 3; f = f[3:] {
		if r := resourceOf(f[0]); r < 0 || !q.setNumbers(r, f[1:3]) {
			return false
		}
	}
	return true
}
