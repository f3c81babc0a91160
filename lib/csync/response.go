package csync

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/prot"
)

// Item is one untagged line of an answer: "* NAME value".
type Item struct {
	Name  string // in capitals
	Value []byte // in normal form; nobody else's memory
}

// responses reads the answers of a server.
type responses struct {
	src    Source
	limits Limits
}

// next reads one line: an item, or the final line of an answer without its end.
// An error that is ErrProtocol and not a lost stream has eaten its line.
func (r *responses) next(files FileFunc) (item *Item, final string, err error) {
	first, err := r.src.ReadByte()
	if err != nil {
		return nil, "", err
	}
	if first != '*' {
		r.src.UnreadByte()
		final, err = r.line()
		return nil, final, err
	}
	l := &lexer{src: r.src, limits: r.limits, peer: FromServer, files: files}
	item, final, err = r.item(l)
	if errors.Is(err, errSyntax) {
		if eerr := l.eat(); eerr != nil {
			return nil, "", eerr
		}
	}
	if err == nil && l.fileErr != nil {
		err = fmt.Errorf("%w: %w", errFile, l.fileErr)
	}
	return item, final, err
}

// errFile is a callback's error; the stream is in step.
var errFile = errors.New("cannot keep the file")

// status are the words that are no names of items, whatever follows the star.
var statuses = map[string]bool{"OK": true, "NO": true, "BAD": true, "BYE": true, "FATAL": true}

// item reads what follows the star. A status comes back as a line with it:
// "* BYE going".
func (r *responses) item(l *lexer) (*Item, string, error) {
	if c, err := r.src.ReadByte(); err != nil {
		return nil, "", err
	} else if c != ' ' {
		return nil, "", l.unread()
	}
	word, err := r.src.AppendUntil(nil, atomStop, r.limits.Word)
	if err != nil && !errors.Is(err, prot.ErrLong) {
		return nil, "", err
	}
	name := strings.ToUpper(string(word))
	if name == "" || err != nil {
		return nil, "", errSyntax
	}
	if statuses[name] {
		rest, err := r.line()
		return nil, "* " + name + rest, err
	}
	if err := l.itemValue(); err != nil {
		return nil, "", err
	}
	return &Item{Name: name, Value: l.buf}, "", l.lineEnd(true)
}

// line reads the rest of a line, without its end.
func (r *responses) line() (string, error) {
	b, err := r.src.AppendUntil(nil, lineStop, r.limits.Word)
	if errors.Is(err, prot.ErrLong) {
		return "", fmt.Errorf("%w: endless line", ErrLost)
	}
	if err != nil {
		return "", err
	}
	if _, err := r.src.ReadByte(); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b, []byte("\r"))), nil
}

// untagged takes the tag off a final line of IMAP. Without a tag there is none.
func untagged(line, tag string) (string, error) {
	if tag == "" {
		return line, nil
	}
	rest, ok := strings.CutPrefix(line, tag+" ")
	if !ok {
		return line, fmt.Errorf("%w: %q instead of %s", ErrProtocol, line, tag)
	}
	return rest, nil
}
