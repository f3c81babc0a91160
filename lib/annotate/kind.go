package annotate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gocyrus/lib/config"
)

// ErrValue is the error of a value that an annotation of its kind cannot have.
var ErrValue = errors.New("invalid annotation value")

// Kind is what values an annotation may have.
type Kind uint8

const (
	Text     Kind = iota
	Boolean       // "true" or "false", in any case; stored in lower case
	Unsigned      // a number of 64 bits, as strtoul(3) reads it
	Signed        // the same, as strtol(3) does
	Duration      // days, or a time such as "7d12h"; not negative
)

// kindNames are the words of annotation_definitions. "content-type" is there for
// files of old versions.
var kindNames = map[string]Kind{
	"string": Text, "content-type": Text, "boolean": Boolean, "uint": Unsigned, "int": Signed,
}

// Canonical is the form in which a value is stored. The error is ErrValue.
func (k Kind) Canonical(value string) (string, error) {
	ok := true
	switch k {
	case Boolean:
		value = strings.ToLower(value)
		ok = value == "true" || value == "false"
	case Unsigned:
		_, err := strconv.ParseUint(number(value), 10, 64)
		ok = err == nil
	case Signed:
		_, err := strconv.ParseInt(number(value), 10, 64)
		ok = err == nil
	case Duration:
		n, err := config.ParseDuration(value, 'd')
		ok = err == nil && n >= 0
	}
	if !ok {
		return "", fmt.Errorf("%w: %q", ErrValue, value)
	}
	return value, nil
}

// number takes off what strtol(3) passes over: blanks and a plus sign.
func number(s string) string {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	if rest, ok := strings.CutPrefix(s, "+"); ok && !strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "+") {
		return rest
	}
	return s
}
