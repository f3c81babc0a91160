package spool

import "bytes"

// lmtpFilter makes a stored message of what LMTP's DATA brings. It is a state
// machine on the header's octets; the body goes through line by line.
type lmtpFilter struct {
	opts  *Options
	state state
	name  []byte // of the field being read
	skip  bool   // the field is left out
	// whether the message has the fields, and the first Message-ID a text
	messageID, date bool
	wantID          bool // in the value of the first Message-ID, before its text
	open            bool // the body's last line lacks its line end so far
}

type state uint8

const (
	nameStart state = iota // a field or the empty line starts
	inName
	beforeColon // white space behind a name
	inValue
	valueCR  // a CR in a value: a line end, with LF or without
	afterEOL // a fold or the next field
	emptyCR  // the empty line began with a CR
	inBody
)

// maxFieldName bounds what is held of a field's name.
const maxFieldName = 4096

func (l *lmtpFilter) next(dst, src []byte) ([]byte, error) {
	if bytes.IndexByte(src, 0) >= 0 {
		return dst, ErrNUL
	}
	for i := 0; i < len(src); {
		if l.state == inBody {
			return l.body(dst, src[i:]), nil
		}
		again, out, err := l.header(dst, src[i])
		if err != nil {
			return dst, err
		}
		if dst = out; !again {
			i++
		}
	}
	return dst, nil
}

// header takes an octet of the header. again says that the octet belongs to
// what comes next.
func (l *lmtpFilter) header(dst []byte, c byte) (again bool, out []byte, err error) {
	switch l.state {
	case nameStart:
		if c == '\r' || c == '\n' {
			// The empty line, however it ends.
			dst = append(l.endHeader(dst), '\r', '\n')
			if l.state = inBody; c == '\r' {
				l.state = emptyCR
			}
			return false, dst, nil
		}
		l.name, l.state = l.name[:0], inName
		return true, dst, nil
	case inName:
		switch {
		case (c == ':' || c == ' ' || c == '\t') && len(l.name) > 0:
			return true, l.field(dst), nil
		case c <= ' ' || c >= 0x7f || c == ':' || len(l.name) == maxFieldName:
			return false, dst, ErrBadHeader
		}
		l.name = append(l.name, c)
	case beforeColon:
		if c == ':' {
			l.state = inValue
		} else if c != ' ' && c != '\t' {
			return false, dst, ErrBadHeader
		}
		dst = l.put(dst, c)
	case inValue:
		dst, err = l.value(dst, c)
	case valueCR:
		l.state = afterEOL
		return c != '\n', dst, nil
	case emptyCR:
		l.state = inBody
		return c != '\n', dst, nil
	case afterEOL:
		if c != ' ' && c != '\t' {
			if l.wantID {
				return false, dst, ErrBadHeader // a Message-ID that is empty
			}
			l.state = nameStart
			return true, dst, nil
		}
		l.state = inValue
		dst = l.put(dst, c)
	}
	return false, dst, err
}

// field starts a field whose name is complete.
func (l *lmtpFilter) field(dst []byte) []byte {
	l.skip, l.state = false, beforeColon
	switch {
	case bytes.EqualFold(l.name, []byte("return-path")):
		l.skip = true
	case bytes.EqualFold(l.name, []byte("message-id")):
		l.wantID = !l.messageID
		l.messageID = true
	case bytes.EqualFold(l.name, []byte("date")):
		l.date = true
	}
	if l.skip {
		return dst
	}
	return append(dst, l.name...)
}

func (l *lmtpFilter) value(dst []byte, c byte) ([]byte, error) {
	switch {
	case c == '\r':
		l.state = valueCR
	case c == '\n':
		l.state = afterEOL
	case c >= 0x80 && l.opts.Reject8Bit:
		return dst, Err8Bit
	default:
		if c >= 0x80 && l.opts.Munge8Bit {
			c = 'X'
		}
		if c != ' ' && c != '\t' {
			l.wantID = false
		}
		return l.put(dst, c), nil
	}
	return l.put(dst, '\r', '\n'), nil
}

func (l *lmtpFilter) put(dst []byte, c ...byte) []byte {
	if l.skip {
		return dst
	}
	return append(dst, c...)
}

// endHeader adds the fields that the message lacks.
func (l *lmtpFilter) endHeader(dst []byte) []byte {
	if l.opts.Missing != nil {
		dst = append(dst, l.opts.Missing(l.messageID, l.date)...)
	}
	return dst
}

// body makes CRLF of LF and drops other CRs: a CR before a LF goes and comes
// back with it, so none need be held from one piece to the next.
func (l *lmtpFilter) body(dst, src []byte) []byte {
	for len(src) > 0 {
		line, rest, ended := bytes.Cut(src, []byte{'\n'})
		src = rest
		n := len(dst)
		switch k := bytes.IndexByte(line, '\r'); {
		case k < 0:
			dst = append(dst, line...)
		case k == len(line)-1:
			dst = append(dst, line[:k]...)
		default:
			for _, c := range line {
				if c != '\r' {
					dst = append(dst, c)
				}
			}
		}
		l.open = l.open || len(dst) > n
		if ended {
			dst, l.open = append(dst, '\r', '\n'), false
		}
	}
	return dst
}

// end closes a last line that lacks its line end, and a header that is all
// there is.
func (l *lmtpFilter) end(dst []byte) (out []byte, err error) {
	switch l.state {
	case inBody, emptyCR:
		if l.open {
			dst = append(dst, '\r', '\n')
		}
		return dst, nil
	case inName, beforeColon:
		return dst, ErrBadHeader
	case inValue:
		dst = l.put(dst, '\r', '\n')
	}
	if l.wantID {
		return dst, ErrBadHeader
	}
	return l.endHeader(dst), nil
}
