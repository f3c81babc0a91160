package imapwire

import (
	"bytes"
	"errors"
	"math"

	"gocyrus/lib/prot"
)

// errToken is an argument that is not there or not formed as it must be; the
// caller knows which words that deserves.
var errToken = errors.New("malformed token")

// errNumber is the absence of a number.
var errNumber = errors.New("no number")

// Word reads up to the next space, parenthesis, quote or line end, which stays
// unread and is returned. The word may be empty.
func (p *Parser) Word() (string, byte, error) {
	b, err := p.word()
	if err != nil {
		return "", 0, err
	}
	s := string(b)
	end, err := p.Peek()
	return s, end, err
}

func (p *Parser) word() ([]byte, error) {
	max := p.lim.Word
	if max == 0 {
		max = math.MaxInt
	}
	var err error
	p.buf, err = p.in.AppendUntil(p.buf[:0], wordEnd, max)
	if errors.Is(err, prot.ErrLong) {
		return nil, Fatal("[TOOBIG] Word too long")
	}
	if err != nil {
		return nil, err
	}
	return p.buf, p.checkArgs()
}

// Atom reads a word that must be an atom.
func (p *Parser) Atom() (string, error) {
	w, _, err := p.Word()
	if err == nil && !IsAtom(w) {
		err = errToken
	}
	return w, err
}

// which forms of a string are allowed where one is read.
type form uint8

const (
	asAtom form = 1 << iota
	asQuoted
	asLiteral
	asNil
	asBinary // the literal may hold NUL
)

// AString reads an astring: an atom, a quoted string or a literal. What is not
// one counts as a missing argument, as with Cyrus.
func (p *Parser) AString() (string, error) {
	s, _, err := p.str(asAtom | asQuoted | asLiteral)
	return s, p.argument(err)
}

// SPAString reads a space and an astring.
func (p *Parser) SPAString() (string, error) {
	if err := p.SP(); err != nil {
		return "", err
	}
	return p.AString()
}

// String reads a quoted string or literal.
func (p *Parser) String() (string, error) {
	s, _, err := p.str(asQuoted | asLiteral)
	return s, p.argument(err)
}

// NString reads a string or NIL; ok is false for NIL. NUL is allowed in a
// literal when binary is.
func (p *Parser) NString(binary bool) (s string, ok bool, err error) {
	f := asQuoted | asLiteral | asNil
	if binary {
		f |= asBinary
	}
	s, isNil, err := p.str(f)
	if isNil {
		s = ""
	}
	return s, !isNil, p.argument(err)
}

// argument gives errToken the words of a missing argument.
func (p *Parser) argument(err error) error {
	if errors.Is(err, errToken) {
		return p.Missing()
	}
	return err
}

func (p *Parser) str(f form) (s string, isNil bool, err error) {
	b, err := p.Peek()
	if err != nil {
		return "", false, err
	}
	switch {
	case b == '"' && f&asQuoted != 0:
		s, err = p.quoted()
	case b == '{' && f&asLiteral != 0:
		s, err = p.literal(f&asBinary != 0)
	case b == '~' && f&asBinary != 0:
		p.in.ReadByte()
		s, err = p.literal(true)
	case wordEnd[b]:
		err = errToken
	case f&(asAtom|asNil) != 0:
		s, _, err = p.Word()
		isNil = f&asNil != 0 && s == "NIL"
		if err == nil && !isNil && f&asAtom == 0 {
			err = errToken
		}
	default:
		err = errToken
	}
	if err == nil {
		err = p.checkArgs()
	}
	return s, isNil, err
}

// quoted reads a quoted string. Like Cyrus it takes a backslash before
// any octet.
func (p *Parser) quoted() (string, error) {
	p.in.ReadByte()
	p.buf = p.buf[:0]
	for {
		b, err := p.in.ReadByte()
		if err != nil {
			return "", err
		}
		switch b {
		case '"':
			return string(p.buf), nil
		case '\\':
			if b, err = p.in.ReadByte(); err != nil {
				return "", err
			}
		}
		if b == '\r' || b == '\n' {
			p.in.UnreadByte()
			return "", errToken
		}
		if p.buf = append(p.buf, b); p.lim.Quoted > 0 && len(p.buf) > p.lim.Quoted {
			return "", Fatal("[TOOBIG] Quoted value too long")
		}
	}
}

// literal reads "{n}" or "{n+}" and the octets.
func (p *Parser) literal(binary bool) (string, error) {
	l, err := p.LiteralHeader()
	if err != nil {
		return "", err
	}
	if err := p.acceptLiteral(l, p.lim.Literal); err != nil {
		return "", err
	}
	var b bytes.Buffer
	b.Grow(int(min(l.Size, 64<<10)))
	if err := p.in.CopyN(&b, l.Size); err != nil {
		return "", err
	}
	if !binary && bytes.IndexByte(b.Bytes(), 0) >= 0 {
		return "", errToken
	}
	return b.String(), nil
}

// Literal is the announcement of a literal.
type Literal struct {
	Size int64
	Sync bool // the client waits for an invitation
}

const (
	// maxAnnounced is the size from which on an announcement is taken for noise.
	// What is less and too large is refused without ending the session, if the
	// client waits for an invitation.
	maxAnnounced = 1 << 53
	// maxLiteral bounds literals where no option does.
	maxLiteral = math.MaxUint32
)

// LiteralHeader reads "{n}" CRLF or "{n+}" CRLF and invites nobody yet.
func (p *Parser) LiteralHeader() (Literal, error) {
	l := Literal{Sync: true}
	if err := p.expect('{', errToken); err != nil {
		return l, err
	}
	n, err := p.digits(maxAnnounced)
	if errors.Is(err, errNumber) {
		return l, errToken
	}
	if err != nil {
		return l, err
	}
	l.Size = int64(n)
	plus, err := p.Accept('+')
	if err != nil {
		return l, err
	}
	l.Sync = !plus
	for _, want := range []byte("}\r\n") {
		if err := p.expect(want, errToken); err != nil {
			return l, err
		}
	}
	return l, nil
}

// acceptLiteral checks a literal against max and, where the client waits for
// it, invites the octets.
func (p *Parser) acceptLiteral(l Literal, max int64) error {
	if max <= 0 {
		max = maxLiteral
	}
	switch {
	case !l.Sync && p.lim.Minus && l.Size > maxMinus:
		return Fatal("[TOOBIG] Non-synchronizing literal size exceeds 4K") // RFC 7888 section 4
	case l.Size > max && !l.Sync:
		return Fatal("[TOOBIG] Literal size exceeds fixed limit")
	case l.Size > max:
		// The client has sent its line and waits: nothing is left to skip.
		p.line = true
		return No("[TOOBIG] Literal size exceeds fixed limit in " + p.cmd)
	}
	return p.Invite(l)
}

// Invite asks the client for the octets of a literal, if it waits to be asked.
func (p *Parser) Invite(l Literal) error {
	if !l.Sync {
		return nil
	}
	p.in.WriteString("+ go ahead\r\n")
	return p.in.Flush()
}

// RefuseLiteral turns down a literal that was announced and not invited: a
// synchronising one leaves nothing to read, another is read and dropped, unless
// that would take for ever.
func (p *Parser) RefuseLiteral(l Literal) error {
	if l.Sync {
		p.line = true
		return nil
	}
	if l.Size > maxLiteral {
		return Fatal("[TOOBIG] Literal size exceeds fixed limit")
	}
	return p.in.CopyN(discard{}, l.Size)
}

// Conn is the stream the parser reads from, for octets of a literal.
func (p *Parser) Conn() *prot.Conn { return p.in }

// digits reads a number of at most max. Larger ones end the session, as
// with Cyrus.
func (p *Parser) digits(max uint64) (uint64, error) {
	var n uint64
	for i := 0; ; i++ {
		b, err := p.in.ReadByte()
		if err != nil {
			return 0, err
		}
		d := uint64(b) - '0'
		if d > 9 {
			p.in.UnreadByte()
			if i == 0 {
				return 0, errNumber
			}
			return n, nil
		}
		if n > (max-d)/10 {
			return 0, Fatal("Fatal error: num too big")
		}
		n = n*10 + d
	}
}

// Number reads a number of at most max; ok is false when there is none.
func (p *Parser) Number(max uint64) (n uint64, ok bool, err error) {
	n, err = p.digits(max)
	if errors.Is(err, errNumber) {
		return 0, false, nil
	}
	return n, err == nil, err
}
