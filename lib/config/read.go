package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Limits on what one configuration may be. Cyrus has none; no real file comes
// near these.
const (
	maxLine     = 1 << 20 // octets of a logical line
	maxFiles    = 256     // @include, at any depth
	maxSettings = 1 << 16 // keys
)

// Error is a mistake in a configuration file. Its text is Cyrus's, with the
// file's name added where Cyrus leaves it out.
type Error struct {
	File string
	Line int // 0: the file as a whole
	Text string
	Err  error // the reason under it, if there is one
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is EX_CONFIG: a program that meets this error ends with it.
func (e *Error) ExitCode() int { return 78 }

// A setting is one "key: value", its key in lower case.
type setting struct {
	key, value string
	file       string
	line       int // of its last line, when it is continued
}

// reader collects the settings of a file and of those it includes, in order.
type reader struct {
	seen     map[string]bool // names of files read
	settings []setting
}

func (r *reader) file(name string) error {
	f, err := open(name)
	if err != nil {
		reason := err
		var p *os.PathError
		if errors.As(err, &p) {
			reason = p.Err
		}
		return &Error{File: name, Text: fmt.Sprintf("can't open configuration file %s: %s", name, cText(reason)), Err: err}
	}
	defer f.Close()
	return r.read(f, name)
}

// cText is an error in the words of the C library, which begin with a capital.
func cText(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// open tries the name below CYRUS_PREFIX first.
func open(name string) (*os.File, error) {
	if prefix := os.Getenv("CYRUS_PREFIX"); prefix != "" {
		if f, err := os.Open(prefix + name); err == nil {
			return f, nil
		}
	}
	return os.Open(name)
}

func (r *reader) read(in io.Reader, name string) error {
	if r.seen[name] {
		return &Error{File: name, Text: fmt.Sprintf("configuration file %s included twice", name)}
	}
	if len(r.seen) >= maxFiles {
		return &Error{File: name, Text: fmt.Sprintf("configuration file %s: too many files included", name)}
	}
	r.seen[name] = true
	lines := lineReader{in: bufio.NewReader(in)}
	for {
		text, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &Error{File: name, Line: lines.n,
				Text: fmt.Sprintf("cannot read line %d of configuration file %s: %v", lines.n, name, err), Err: err}
		}
		if err := r.line(text, name, lines.n); err != nil {
			return err
		}
	}
}

func (r *reader) line(text, name string, n int) error {
	text = strings.TrimLeft(text, blanks)
	if text == "" || text[0] == '#' {
		return nil
	}
	key, value, err := splitLine(text)
	if err != nil {
		return &Error{File: name, Line: n, Text: fmt.Sprintf("%v on line %d of configuration file %s", err, n, name), Err: err}
	}
	if key[0] == '@' {
		if key != "@include" {
			return &Error{File: name, Line: n, Text: fmt.Sprintf("invalid directive on line %d of configuration file %s", n, name)}
		}
		return r.file(value)
	}
	if len(r.settings) >= maxSettings {
		return &Error{File: name, Line: n, Text: fmt.Sprintf("too many options on line %d of configuration file %s", n, name)}
	}
	r.settings = append(r.settings, setting{key: key, value: value, file: name, line: n})
	return nil
}

var (
	errName  = errors.New("invalid option name")
	errEmpty = errors.New("empty option value")
)

const blanks = " \t\r\n\v\f"

// splitLine takes "Key: value" apart. The key comes in lower case, the value
// without blanks around it; a '#' in it is part of it.
func splitLine(text string) (key, value string, err error) {
	i := 0
	if text[0] == '@' {
		i++
	}
	for i < len(text) && isKey(text[i]) {
		i++
	}
	if i == 0 || i == len(text) || text[i] != ':' {
		return "", "", errName
	}
	value = strings.Trim(text[i+1:], blanks)
	if value == "" {
		return "", "", errEmpty
	}
	return strings.ToLower(text[:i]), value, nil
}

func isKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '-' || c == '_'
}

var (
	errLong = errors.New("line too long")
	errNUL  = errors.New("NUL octet")
)

// lineReader joins lines that end in a backslash. Comments are joined too, as
// Cyrus does it: a comment that ends in a backslash hides the next line.
type lineReader struct {
	in *bufio.Reader
	n  int // number of the line read last
}

func (l *lineReader) next() (string, error) {
	var b strings.Builder
	for {
		part, err := l.physical(maxLine - b.Len())
		if err != nil {
			// What a backslash before the end of the file left over is
			// dropped, as in Cyrus.
			return "", err
		}
		l.n++
		if strings.IndexByte(part, 0) >= 0 {
			return "", errNUL
		}
		body, ended := strings.CutSuffix(part, "\n")
		rest, more := strings.CutSuffix(body, `\`)
		if !ended || !more {
			b.WriteString(body)
			return b.String(), nil
		}
		b.WriteString(rest)
	}
}

// physical reads up to and with the next newline, at most limit octets.
func (l *lineReader) physical(limit int) (string, error) {
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return "", errLong
		}
		line = append(line, part...)
		switch {
		case err == nil, err == io.EOF && len(line) > 0:
			return string(line), nil
		case err != bufio.ErrBufferFull:
			return "", err
		}
	}
}
