// Package imapwire reads and writes the tokens of IMAP: the arguments of every
// command a client sends, and the strings, names and sets of the answers.
//
// A [Parser] reads straight from the peer's stream, for a literal may need an
// invitation ("+ go ahead") and may be too large to keep. Each of its methods
// takes one token or one whole argument; what is wrong comes back as one of
// three errors that carry the words for the client: [Bad], [No] and [Fatal].
// The words are Cyrus's, since test suites and scripts read them. All sizes,
// depths and counts are bounded by [Limits].
//
// Types of go-imap are used where they can say all that Cyrus understands:
// sets of numbers, sections, flags. Where they cannot (search keys, FETCH
// attributes, STATUS items), the package has its own.
package imapwire

import (
	"errors"
	"strings"

	"gocyrus/lib/prot"
)

// Bad is a syntax error, the text that follows BAD in the tagged answer.
type Bad string

func (e Bad) Error() string { return string(e) }

// No is a refusal that arises in parsing, the text that follows NO. The rest of
// the line has been read.
type No string

func (e No) Error() string { return string(e) }

// Fatal ends the session: the text that follows "* BYE ".
type Fatal string

func (e Fatal) Error() string { return string(e) }

// Limits bound what one command may hold. Sizes are in octets; zero is no
// limit.
type Limits struct {
	Word    int   // an atom (option maxword)
	Quoted  int   // a quoted string (option maxquoted)
	Literal int64 // a literal that is kept in memory (option maxliteral)
	Args    int64 // all arguments of one command (option maxargssize)
	// Minus bounds non-synchronising literals to 4096 octets (RFC 7888, LITERAL-).
	Minus bool
}

// maxMinus is the most a non-synchronising literal may hold with LITERAL-.
const maxMinus = 4096

// Parser reads commands from one peer.
type Parser struct {
	in   *prot.Conn
	lim  Limits
	cmd  string // as the texts name it: "Fetch"
	then string // what cmd becomes behind the set of messages: "UID Fetch"
	mark int64  // octets of the session read when the arguments began
	line bool   // the line's end has been read
	buf  []byte
}

// NewParser returns a parser of what comes in on in.
func NewParser(in *prot.Conn, lim Limits) *Parser {
	return &Parser{in: in, lim: lim, line: true}
}

// SetCommand names the command whose arguments follow, as the texts of errors
// say it. Cyrus calls a UID command "Uid" up to the space behind its set of
// messages and then, with then, "UID Fetch".
func (p *Parser) SetCommand(name, then string) { p.cmd, p.then = name, then }

// Command is the name that SetCommand gave.
func (p *Parser) Command() string { return p.cmd }

// Begin starts a new line and returns its first word, the tag, and the octet
// that ended it, which is not consumed.
func (p *Parser) Begin() (tag string, end byte, err error) {
	p.line = false
	p.cmd, p.then = "", ""
	p.mark = p.read()
	return p.Word()
}

// Name reads the word that names a command: "fetch" is returned as "Fetch".
func (p *Parser) Name() (string, error) {
	w, _, err := p.Word()
	if err != nil {
		return "", err
	}
	p.mark = p.read()
	w = strings.ToLower(w)
	if w != "" && w[0] >= 'a' && w[0] <= 'z' {
		w = string(w[0]-'a'+'A') + w[1:]
	}
	return w, nil
}

// read is how many octets of the session the parser has consumed.
func (p *Parser) read() int64 {
	in, _ := p.in.Counters()
	return in - int64(p.in.Buffered())
}

// checkArgs bounds the sum of a command's arguments.
func (p *Parser) checkArgs() error {
	if p.lim.Args > 0 && p.read()-p.mark > p.lim.Args {
		return Fatal("[TOOBIG] Command arguments exceed fixed limit")
	}
	return nil
}

// Missing is the error of a command that ends too early.
func (p *Parser) Missing() error { return Bad("Missing required argument to " + p.cmd) }

// Extra is the error of a command that does not end where it should.
func (p *Parser) Extra() error { return Bad("Unexpected extra arguments to " + p.cmd) }

// Bad makes a syntax error from parts.
func (p *Parser) Bad(parts ...string) error { return Bad(strings.Join(parts, "")) }

// Peek is the next octet, left where it is.
func (p *Parser) Peek() (byte, error) {
	b, err := p.in.ReadByte()
	if err != nil {
		return 0, err
	}
	p.in.UnreadByte()
	return b, nil
}

// Next consumes one octet. A line end is not consumed: only EOL and Skip do.
func (p *Parser) Next() (byte, error) {
	b, err := p.in.ReadByte()
	if err == nil && (b == '\r' || b == '\n') {
		p.in.UnreadByte()
	}
	return b, err
}

// Accept consumes the next octet if it is want, and says whether it was.
func (p *Parser) Accept(want byte) (bool, error) {
	b, err := p.in.ReadByte()
	if err != nil {
		return false, err
	}
	if b != want {
		p.in.UnreadByte()
		return false, nil
	}
	return true, nil
}

// expect consumes want, or fails with e.
func (p *Parser) expect(want byte, e error) error {
	ok, err := p.Accept(want)
	if err == nil && !ok {
		err = e
	}
	return err
}

// SP consumes the space before an argument; without it the argument is missing.
func (p *Parser) SP() error {
	ok, err := p.Accept(' ')
	if err == nil && !ok {
		err = p.Missing()
	}
	return err
}

// EOL consumes the line's end, LF with or without CR.
func (p *Parser) EOL() error {
	b, err := p.in.ReadByte()
	if err != nil {
		return err
	}
	if b == '\r' {
		if b, err = p.in.ReadByte(); err != nil {
			return err
		}
	}
	if b != '\n' {
		p.in.UnreadByte()
		return p.Extra()
	}
	p.line = true
	return nil
}

// AtEOL says whether the line ends here, consuming nothing.
func (p *Parser) AtEOL() bool {
	b, err := p.Peek()
	return err == nil && (b == '\r' || b == '\n')
}

// Done says whether the line of the command has been read to its end.
func (p *Parser) Done() bool { return p.line }

// Skip reads to the end of the line, unless that was read, through literals
// that the client sends without being asked.
func (p *Parser) Skip() error {
	for !p.line {
		b, err := p.in.ReadByte()
		switch {
		case err != nil:
			return err
		case b == '\n':
			p.line = true
		case b == '{':
			if err := p.skipLiteral(); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipLiteral reads past "{n+}" CRLF and n octets, after the brace. Anything
// else is left to Skip.
func (p *Parser) skipLiteral() error {
	n, err := p.digits(1 << 32)
	if err != nil {
		if errors.Is(err, errNumber) {
			return nil
		}
		return err
	}
	for _, want := range []byte("+}\r\n") {
		ok, err := p.Accept(want)
		if err != nil {
			return err
		}
		if !ok && want != '\r' {
			return nil
		}
	}
	return p.in.CopyN(discard{}, int64(n))
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
