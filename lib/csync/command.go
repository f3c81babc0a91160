package csync

import (
	"errors"
	"strings"

	"gocyrus/lib/prot"
)

// Command is one line of a client.
type Command struct {
	Verb string   // in capitals: GET, APPLY, RESTORE, NOOP, ...
	Args []string // words after it, of a verb without a value
	Name string   // what to get or apply, in capitals: "MAILBOX"
	// Value is what follows the name, in normal form, nil when the line was not
	// read: see Reader.Plain. It is the command's own memory.
	Value []byte
	// FileErr is the first error of the callback for files. The stream is in step.
	FileErr error
}

// BadLine is the error of a line that was eaten. Its text is the answer, without
// the line's end, and the session goes on.
type BadLine string

func (b BadLine) Error() string { return string(b) }

// Reader reads the commands of a client.
type Reader struct {
	src    Source
	limits Limits
}

// NewReader reads from src. Limits that are zero are the default ones.
func NewReader(src Source, limits Limits) *Reader {
	return &Reader{src: src, limits: limits.orDefault()}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.Literal > 0 {
		d.Literal = l.Literal
	}
	if l.Quoted > 0 {
		d.Quoted = l.Quoted
	}
	if l.Word > 0 {
		d.Word = l.Word
	}
	if l.Total > 0 {
		d.Total = l.Total
	}
	return d
}

// ReadCommand reads one command. The octets of its files go to files, or nowhere
// when that is nil. The error is BadLine, or the stream's.
//
// A command that is not one of csync comes back with its verb and words, for an
// IMAP client that tries its luck wants a tagged answer. While may is false GET,
// APPLY and RESTORE are not read: they come back without Name and Value.
func (r *Reader) ReadCommand(may bool, files FileFunc) (*Command, error) {
	verb, err := r.word(nil, r.limits.Word)
	if err != nil {
		return nil, err
	}
	cmd := &Command{Verb: strings.ToUpper(string(verb))}
	switch cmd.Verb {
	case "":
		return nil, r.refuse("BAD Null command")
	case Get, Apply, Restore:
		if !may {
			return cmd, r.lexer(nil).eat()
		}
		return cmd, r.item(cmd, files)
	}
	return cmd, r.words(cmd)
}

// ReadItem reads what follows a verb and its blank: "MAILBOX %(...)" and the end
// of the line. It is for IMAP, where another reader takes tag and verb; the text
// of BadLine is without a tag.
func (r *Reader) ReadItem(verb string, files FileFunc) (*Command, error) {
	cmd := &Command{Verb: strings.ToUpper(verb)}
	return cmd, r.readItem(cmd, files)
}

func (r *Reader) lexer(files FileFunc) *lexer {
	return &lexer{src: r.src, limits: r.limits, peer: FromClient, files: files}
}

// item reads the blank after the verb and then the item.
func (r *Reader) item(cmd *Command, files FileFunc) error {
	c, err := r.src.ReadByte()
	if err != nil {
		return err
	}
	if c != ' ' {
		r.src.UnreadByte()
		return r.unparsed(cmd.Verb)
	}
	return r.readItem(cmd, files)
}

func (r *Reader) unparsed(verb string) error {
	return r.refuse("BAD IMAP_PROTOCOL_ERROR Failed to parse " + verb + " line")
}

func (r *Reader) readItem(cmd *Command, files FileFunc) error {
	l := r.lexer(files)
	name, err := l.named()
	if err == nil {
		err = l.lineEnd(true)
	}
	if errors.Is(err, errSyntax) {
		return r.unparsed(cmd.Verb)
	}
	cmd.Name, cmd.Value, cmd.FileErr = name, l.buf, l.fileErr
	return err
}

// named reads a name and its value. The name is not part of buf.
func (l *lexer) named() (name string, err error) {
	c, err := l.src.ReadByte()
	if err == nil {
		err = l.astring(c)
	}
	if err != nil {
		return "", err
	}
	if name, err = ParseText(l.buf); err != nil {
		return "", errSyntax
	}
	l.buf = l.buf[:0]
	return strings.ToUpper(name), l.itemValue()
}

// itemValue reads the space after the name of an item, and its value.
func (l *lexer) itemValue() error {
	for {
		c, err := l.src.ReadByte()
		switch {
		case err != nil:
			return err
		// QUIRK: at the end of a line real servers wait for more.
		case c == '\r' || c == '\n':
			return l.unread()
		case !isSpace(c):
			return l.value(c, 0)
		}
	}
}

// word reads up to white space.
func (r *Reader) word(dst []byte, max int) ([]byte, error) {
	w, err := r.src.AppendUntil(dst, atomStop, len(dst)+max)
	if errors.Is(err, prot.ErrLong) {
		return nil, r.refuse("BAD IMAP_PROTOCOL_ERROR Unrecognized command")
	}
	return w, err
}

// words reads the arguments of a plain command, up to the end of the line. What a
// literal brings is eaten.
func (r *Reader) words(cmd *Command) error {
	line, err := r.src.AppendUntil(nil, lineStop, r.limits.Word)
	if errors.Is(err, prot.ErrLong) {
		return r.refuse("BAD IMAP_PROTOCOL_ERROR Unrecognized command")
	}
	if err != nil {
		return err
	}
	if _, err := r.src.ReadByte(); err != nil {
		return err
	}
	cmd.Args = strings.Fields(string(line))
	return r.lexer(nil).eatAfter(line)
}

// refuse eats the line and gives the answer.
func (r *Reader) refuse(answer string) error {
	if err := r.lexer(nil).eat(); err != nil {
		return err
	}
	return BadLine(answer)
}

// Titled is a verb as real servers repeat it: "Noop".
func Titled(verb string) string {
	if verb == "" {
		return ""
	}
	return strings.ToUpper(verb[:1]) + strings.ToLower(verb[1:])
}

// CheckArgs says whether a plain command has from min to max words. The error is
// BadLine, with Cyrus's words.
func (c *Command) CheckArgs(min, max int) error {
	switch n := len(c.Args); {
	case n < min:
		return BadLine("BAD Missing required argument to " + Titled(c.Verb))
	case n > max:
		return BadLine("BAD Unexpected extra arguments to " + Titled(c.Verb))
	}
	return nil
}
