package cyradm

import (
	"errors"
	"fmt"
	"strings"
)

// simple is one command of a line.
type simple struct {
	words  []string
	redirs []redirect
}

// redirect is one redirection.
type redirect struct {
	fd     int    // what it changes
	op     string // ">", ">>" or "<"
	target string // a file, or with dup a descriptor or "-"
	dup    bool
}

var errQuote = errors.New("syntax error: quote without end")

// split takes a line apart nearly as sh does: words, ' and ", backslash, $VAR
// and ${VAR}, "; " between commands, redirections. Unlike in sh, backslash and
// $ work in either kind of quotes, on which old scripts rely; and what a
// variable holds is text, never syntax.
func split(line string, env func(string) string) ([]simple, error) {
	s := splitter{in: line, env: env}
	for s.i < len(s.in) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 {
		return nil, errQuote
	}
	if err := s.endCommand(); err != nil {
		return nil, err
	}
	return s.out, nil
}

type splitter struct {
	in      string
	i       int
	env     func(string) string
	quote   byte
	word    strings.Builder
	inWord  bool
	bare    bool      // nothing in the word was quoted
	pending *redirect // waits for its target
	cur     simple
	out     []simple
}

func (s *splitter) step() error {
	c := s.in[s.i]
	s.i++
	switch {
	case c == '\\' && s.i < len(s.in):
		s.put(s.in[s.i:s.i+1], false)
		s.i++
	case c == '$':
		s.variable()
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.put(s.in[s.i-1:s.i], false)
	case c == '"' || c == '\'':
		s.quote = c
		s.put("", false)
	case c == ' ' || c == '\t' || c == '\r':
		s.endWord()
	case c == ';':
		return s.endCommand()
	case c == '<' || c == '>':
		return s.redirection(c)
	case c == '&':
		return errors.New("syntax error: cannot deal with `&' here")
	default:
		s.put(s.in[s.i-1:s.i], true)
	}
	return nil
}

func (s *splitter) put(text string, bare bool) {
	s.bare = bare && (s.bare || !s.inWord)
	s.inWord = true
	s.word.WriteString(text)
}

// variable takes the name after a $ and puts its value, which outside quotes is
// as many words as it has, but never none: "dm $BOX x" must not delete x.
func (s *splitter) variable() {
	rest := s.in[s.i:]
	name := rest
	braced := strings.HasPrefix(rest, "{")
	if braced {
		name = rest[1:]
	}
	n := 0
	for n < len(name) && isNameByte(name[n]) {
		n++
	}
	if n == 0 || braced && !strings.HasPrefix(name[n:], "}") {
		s.put("$", false)
		return
	}
	s.i += n
	if braced {
		s.i += 2
	}
	val := s.env(name[:n])
	if s.quote != 0 {
		s.put(val, false)
		return
	}
	s.put("", false)
	for i, f := range strings.Fields(val) {
		if i > 0 {
			s.endWord()
		}
		s.put(f, false)
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// redirection begins one. A digit that touches it is the descriptor.
func (s *splitter) redirection(c byte) error {
	if s.pending != nil {
		return fmt.Errorf("syntax error: cannot deal with `%c' here", c)
	}
	r := &redirect{op: string(c)}
	if c == '>' {
		r.fd = 1
	}
	if w := s.word.String(); s.inWord && s.bare && len(w) == 1 && w[0] >= '0' && w[0] <= '9' {
		r.fd = int(w[0] - '0')
		s.word.Reset()
		s.inWord = false
	}
	s.endWord()
	if c == '>' && strings.HasPrefix(s.in[s.i:], ">") {
		r.op = ">>"
		s.i++
	}
	if strings.HasPrefix(s.in[s.i:], "&") {
		r.dup = true
		s.i++
	}
	s.pending = r
	return nil
}

func (s *splitter) endWord() {
	if !s.inWord {
		return
	}
	w := s.word.String()
	s.word.Reset()
	s.inWord = false
	if s.pending != nil {
		s.pending.target = w
		s.cur.redirs = append(s.cur.redirs, *s.pending)
		s.pending = nil
		return
	}
	s.cur.words = append(s.cur.words, w)
}

func (s *splitter) endCommand() error {
	s.endWord()
	if s.pending != nil {
		return fmt.Errorf("syntax error: nothing after `%s'", s.pending.op)
	}
	if len(s.cur.words) > 0 || len(s.cur.redirs) > 0 {
		s.out = append(s.out, s.cur)
	}
	s.cur = simple{}
	return nil
}
