package mupdate

import "errors"

// Head reads the tag and the name of a command, the name in capitals. After
// ErrNeedCommand and ErrNullCommand the line has been read; else Args or Refuse
// reads the rest.
func (r *Reader) Head() (tag, name string, err error) {
	w, err := r.word()
	if err != nil {
		return "", "", err
	}
	tag = string(w)
	if r.sep != ' ' {
		return tag, "", r.fail(ErrNeedCommand)
	}
	if w, err = r.word(); err != nil {
		return tag, "", unexpected(err, true)
	}
	if len(w) == 0 {
		return tag, "", r.fail(ErrNullCommand)
	}
	return tag, upper(w), nil
}

// fail reads the rest of the line, and returns why.
func (r *Reader) fail(why error) error {
	if err := r.EatLine(); err != nil {
		return err
	}
	return why
}

// Args reads the arguments of a command, of which it has at least min and at
// most max. The error is ErrMissing or ErrExtra, chosen as Cyrus does, or one
// that ends the connection.
func (r *Reader) Args(min, max int) ([]string, error) {
	args, err := r.strings(min, max)
	if err != nil {
		return nil, err
	}
	ok, err := r.newline()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.fail(ErrExtra)
	}
	r.sep = 0
	return args, nil
}

func (r *Reader) strings(min, max int) ([]string, error) {
	var args []string
	for len(args) < max {
		if r.sep != ' ' {
			if len(args) < min {
				return nil, r.fail(ErrMissing)
			}
			break
		}
		s, ok, err := r.str()
		if err != nil {
			return nil, err
		}
		if !ok {
			// What is no string leaves no blank behind it either.
			if len(args)+1 < min {
				return nil, r.fail(ErrMissing)
			}
			return nil, r.fail(ErrExtra)
		}
		args = append(args, string(s))
	}
	return args, nil
}

// MaxHosts is how many servers UPDATE may name.
const MaxHosts = 30

// Hosts reads the arguments of UPDATE. None of them may be empty.
func (r *Reader) Hosts() ([]string, error) {
	var hosts []string
	for r.sep == ' ' {
		s, ok, err := r.str()
		switch {
		case err != nil:
			return nil, err
		case !ok || len(s) == 0:
			return nil, r.fail(ErrBadArgs)
		case len(hosts) == MaxHosts:
			return nil, r.fail(ErrExtra)
		}
		hosts = append(hosts, string(s))
	}
	ok, err := r.newline()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.fail(ErrExtra)
	}
	r.sep = 0
	return hosts, nil
}

// Response reads a client's answer to a SASL challenge: a line of base64, as
// Cyrus's server wants it, or a literal, as Cyrus's client sends it.
func (r *Reader) Response() (string, error) {
	r.buf, r.sep = r.buf[:0], 0
	c, err := r.src.ReadByte()
	if err != nil {
		return "", err
	}
	if err := r.src.UnreadByte(); err != nil {
		return "", err
	}
	if c == '{' {
		s, ok, err := r.str()
		if err != nil {
			return "", err
		}
		text := string(s)
		if err := r.EatLine(); err != nil {
			return "", err
		}
		if !ok {
			return "{", nil // which is no base64
		}
		return text, nil
	}
	text, err := r.line()
	return string(text), err
}

// line reads up to the end of the line.
func (r *Reader) line() ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		c, err := r.src.ReadByte()
		if err != nil {
			return nil, unexpected(err, true)
		}
		if c == '\n' {
			r.sep = 0
			if n := len(r.buf); n > 0 && r.buf[n-1] == '\r' {
				r.buf = r.buf[:n-1]
			}
			return r.buf, nil
		}
		if len(r.buf) >= r.lim.Quoted {
			return nil, ErrTooLong
		}
		r.buf = append(r.buf, c)
	}
}

// IsSyntax says whether err is that of a line that was not understood, and read.
func IsSyntax(err error) bool {
	for _, e := range []error{ErrNeedCommand, ErrNullCommand, ErrMissing, ErrExtra, ErrBadArgs} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
