package cyradm

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gocyrus/lib/backend"
)

// maxAnswer bounds one answer of the server with its literals, in octets.
const maxAnswer = 16 << 20

// Refused is the error of a command that the server did not carry out.
type Refused struct {
	Word string // NO or BAD
	Text string // what the server said, response code included
}

func (e *Refused) Error() string { return e.Text }

// ErrLost is the error of a connection that ended.
var ErrLost = errors.New("connection to server lost")

// raw is an argument that is sent as it is: an atom, a list, a flag.
type raw string

// quoted is an argument that is quoted even where an atom would do, as
// METADATA's entries and values must be (RFC 5464 section 5).
type quoted string

// command sends a command of words, each a string (sent as astring), raw or
// quoted, and hands the untagged answers to fn, the name in capitals and what
// comes after it. The error of a refusal is *Refused.
func (a *Admin) command(fn func(name, rest string), words ...any) error {
	a.tag++
	tag := strconv.Itoa(a.tag)
	if err := a.send(tag, words); err != nil {
		return a.lost(err)
	}
	for {
		answer, err := a.answer()
		if err != nil {
			return a.lost(err)
		}
		first, rest, _ := strings.Cut(answer, " ")
		name, rest, _ := strings.Cut(rest, " ")
		name = strings.ToUpper(name)
		switch {
		case first == tag && name == "OK":
			return nil
		case first == tag:
			return &Refused{name, rest}
		case first == "*" && name == "NO" && a.Notice != nil:
			a.Notice(rest)
		case first == "*" && fn != nil:
			fn(name, rest)
		}
	}
}

func (a *Admin) lost(err error) error {
	a.conn.Close()
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// list is a list of arguments in parentheses.
type list []any

// send writes a command. What can be neither atom nor quoted string goes as a
// literal, which the server may have to ask for.
func (a *Admin) send(tag string, words []any) error {
	w := a.conn.Writer()
	w.WriteString(tag)
	for _, word := range words {
		w.WriteByte(' ')
		if err := a.sendWord(word); err != nil {
			return err
		}
	}
	w.WriteString("\r\n")
	return a.conn.Flush()
}

func (a *Admin) sendWord(word any) error {
	w := a.conn.Writer()
	switch word := word.(type) {
	case raw:
		w.WriteString(string(word))
		return nil
	case list:
		open := byte('(')
		for _, item := range word {
			w.WriteByte(open)
			if err := a.sendWord(item); err != nil {
				return err
			}
			open = ' '
		}
		w.WriteByte(')')
		return nil
	case quoted:
		return a.sendString(string(word))
	case string:
		if isAtom(word) {
			w.WriteString(word)
			return nil
		}
		return a.sendString(word)
	}
	panic(fmt.Sprintf("cyradm: argument of type %T", word))
}

func (a *Admin) sendString(s string) error {
	if !canQuote(s) {
		return a.sendLiteral(s)
	}
	_, err := a.conn.Writer().WriteString(`"` + s + `"`)
	return err
}

func (a *Admin) sendLiteral(s string) error {
	w := a.conn.Writer()
	if a.conn.Caps.Has("LITERAL+") {
		fmt.Fprintf(w, "{%d+}\r\n%s", len(s), s)
		return nil
	}
	fmt.Fprintf(w, "{%d}\r\n", len(s))
	if err := a.conn.Flush(); err != nil {
		return err
	}
	line, err := a.conn.ReadLine()
	for err == nil && strings.HasPrefix(line, "* ") {
		line, err = a.conn.ReadLine()
	}
	if err == nil && !strings.HasPrefix(line, "+") {
		err = fmt.Errorf("%w: %s", ErrProtocol, line)
	}
	if err == nil {
		_, err = w.WriteString(s)
	}
	return err
}

// answer reads a line and the literals in it, each with its {n}.
func (a *Admin) answer() (string, error) {
	var b strings.Builder
	for {
		line, err := a.conn.ReadLine()
		if err != nil {
			return "", err
		}
		b.WriteString(line)
		n, ok := literalSize(line)
		switch {
		case b.Len()+n > maxAnswer:
			return "", backend.ErrLine
		case !ok:
			return b.String(), nil
		}
		b.WriteString("\r\n")
		if _, err := io.CopyN(&b, a.conn.Reader(), int64(n)); err != nil {
			return "", err
		}
	}
}

// literalSize says whether a line ends with the announcement of a literal.
func literalSize(line string) (int, bool) {
	at := strings.LastIndexByte(line, '{')
	if at < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseUint(line[at+1:len(line)-1], 10, 31)
	return int(n), err == nil
}

// isAtom says whether s may stand bare where an astring is wanted.
func isAtom(s string) bool {
	return s != "" && len(s) < 1024 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"\%*(){`, r)
	})
}

// canQuote says whether s may stand in quotes as it is. Quotes and backslashes
// could be escaped, but old servers read escapes wrongly.
func canQuote(s string) bool {
	return len(s) < 1024 && !strings.ContainsFunc(s, func(r rune) bool {
		return r == 0 || r == '\r' || r == '\n' || r == '"' || r == '\\' || r >= 0x80
	})
}
