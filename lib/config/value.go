package config

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// A value is the parsed text of one option. Which fields count depends on the
// type; the zero value is that of an option that is unset.
type value struct {
	set bool   // not unset
	s   string // String, StringList, Enum; the text of a Duration or ByteSize
	n   int64  // Int; Switch 0 or 1; Duration in seconds; ByteSize in octets; Bitfield, bit i for Allowed[i]
}

// parse reads text as o's type. old are the outdated spellings it met.
func (o *Option) parse(text string) (v value, old []string, err error) {
	v.set = true
	switch o.Type {
	case Int:
		v.n, err = parseInt(text)
	case Switch:
		var b bool
		b, err = ParseSwitch(text)
		if b {
			v.n = 1
		}
	case Duration:
		v.s = text
		v.n, err = ParseDuration(text, o.Unit)
	case ByteSize:
		v.s = text
		v.n, err = ParseByteSize(text, o.Unit)
	case Enum:
		v.s, err = o.word(onOff(text))
	case StringList:
		v.s, err = o.word(text)
	case Bitfield:
		v.n, old, err = o.bits(text)
	default:
		v.s = text
	}
	return v, old, err
}

var (
	errInt      = errors.New("non-integer value")
	errSwitch   = errors.New("non-switch value")
	errDuration = errors.New("unparsable duration")
	errByteSize = errors.New("unparsable byte size")
	errWord     = errors.New("invalid value")
)

// parseInt takes what C's strtol takes with base 0; 3.10 keeps the low 32 bits
// of a larger number, here it is an error.
func parseInt(s string) (int64, error) {
	sign, digits := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, digits = s[:1], s[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	if digits == "" || digits[0] == '-' || digits[0] == '+' {
		return 0, errInt
	}
	n, err := strconv.ParseInt(sign+digits, base, 32)
	if err != nil {
		return 0, errInt
	}
	return n, nil
}

// ParseSwitch reads a switch: only the first letters count, and only in lower
// case.
func ParseSwitch(s string) (bool, error) {
	switch {
	case s == "":
	case s[0] == '0', s[0] == 'n', s[0] == 'f', strings.HasPrefix(s, "of"):
		return false, nil
	case s[0] == '1', s[0] == 'y', s[0] == 't', strings.HasPrefix(s, "on"):
		return true, nil
	}
	return false, errSwitch
}

// onOff maps the other spellings of a switch to what an Enum lists.
func onOff(s string) string {
	switch s {
	case "1", "yes", "t", "true":
		return "on"
	case "0", "no", "f", "false":
		return "off"
	}
	return s
}

// ParseDuration reads "1d12h", "90m" or "30" as seconds; unit is that of a
// number without one (0: seconds). The total must fit 32 bits.
func ParseDuration(s string, unit byte) (int64, error) {
	if unit == 0 {
		unit = 's'
	}
	neg := strings.HasPrefix(s, "-")
	rest := strings.TrimPrefix(s, "-")
	if rest == "" || !isDigit(rest[0]) {
		return 0, errDuration
	}
	var total int64
	for rest != "" {
		i := 0
		for i < len(rest) && isDigit(rest[i]) {
			i++
		}
		n, err := strconv.ParseInt(rest[:i], 10, 32)
		if err != nil {
			return 0, errDuration
		}
		u := unit
		if rest = rest[i:]; rest != "" {
			u, rest = rest[0], rest[1:]
		}
		mult, ok := unitSeconds[u]
		if !ok {
			return 0, errDuration
		}
		if total += n * mult; total > math.MaxInt32 {
			return 0, errDuration
		}
	}
	if neg {
		total = -total
	}
	return total, nil
}

var unitSeconds = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}

// ParseByteSize reads "10M", "4 KiB" or "1024" as octets, in powers of 1024;
// unit is that of a number without one (0: octets).
func ParseByteSize(s string, unit byte) (int64, error) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	if err != nil {
		return 0, errByteSize
	}
	suffix := strings.ToLower(strings.TrimLeft(s[i:], " \t"))
	if i == len(s) && unit != 0 {
		suffix = strings.ToLower(string(unit))
	}
	shift := 0
	if suffix != "" {
		if k := strings.IndexByte("kmg", suffix[0]); k >= 0 {
			shift = 10 * (k + 1)
			suffix = strings.TrimPrefix(suffix[1:], "i")
		}
	}
	if suffix != "" && suffix != "b" {
		return 0, errByteSize
	}
	if n > math.MaxInt64>>shift || n < math.MinInt64>>shift {
		return 0, errByteSize
	}
	return n << shift, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (o *Option) word(s string) (string, error) {
	for _, a := range o.Allowed {
		if a == s {
			return s, nil
		}
	}
	return "", fmt.Errorf("%w '%s'", errWord, s)
}

func (o *Option) bits(text string) (mask int64, old []string, err error) {
	for _, w := range strings.Fields(text) {
		bit, outdated, ok := o.bit(w)
		if !ok {
			return 0, nil, fmt.Errorf("%w '%s'", errWord, w)
		}
		mask |= 1 << bit
		if outdated {
			old = append(old, w)
		}
	}
	return mask, old, nil
}

// bit finds the place of a word in Allowed; outdated is true of its old
// spellings.
func (o *Option) bit(w string) (bit int, outdated, ok bool) {
	for i, a := range o.Allowed {
		word, old := spellings(a)
		if word == w {
			return i, false, true
		}
		for _, x := range old {
			if x == w {
				return i, true, true
			}
		}
	}
	return 0, false, false
}

func (o *Option) bitWords(mask int64) []string {
	out := make([]string, 0, bits.OnesCount64(uint64(mask)))
	for i, a := range o.Allowed {
		if mask&(1<<i) != 0 {
			word, _ := spellings(a)
			out = append(out, word)
		}
	}
	return out
}

// text is how cyr_info prints a value.
func (o *Option) text(v value) string {
	switch o.Type {
	case Switch:
		if v.n != 0 {
			return "yes"
		}
		return "no"
	case Int:
		return strconv.FormatInt(v.n, 10)
	case Bitfield:
		return strings.Join(o.bitWords(v.n), " ")
	}
	return v.s
}
