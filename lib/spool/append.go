package spool

import "bytes"

// appendFilter checks what an APPEND brings. It changes nothing but 8-bit
// octets of the header, if munge8bit says so.
type appendFilter struct {
	opts   *Options
	body   bool
	free   bool // a line has started with a CR: names are checked no more
	cr     bool // the last octet was a CR
	column int  // octets of the header line so far
	blank  bool // which were all CRs
	named  bool // the line's field name is checked
	from   int  // how much of "From " the line starts with; -1 if it does not
}

const fromLine = "From "

func (a *appendFilter) next(dst, src []byte) ([]byte, error) {
	if !a.opts.Binary && bytes.IndexByte(src, 0) >= 0 {
		return dst, ErrNUL
	}
	for i := 0; i < len(src); i++ {
		if a.body {
			if err := a.checkBody(src[i:]); err != nil {
				return dst, err
			}
			return append(dst, src[i:]...), nil
		}
		c := src[i]
		if c >= 0x80 {
			if a.opts.Reject8Bit {
				return dst, Err8Bit
			}
			if a.opts.Munge8Bit {
				c = 'X'
			}
		}
		if err := a.header(c); err != nil {
			return dst, err
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// header checks an octet of the header.
func (a *appendFilter) header(c byte) error {
	if c == 0 {
		return ErrNUL
	}
	if a.column == 0 {
		a.blank, a.from = true, 0
		// A fold, the empty line: no name.
		a.free = a.free || c == '\r'
		a.named = a.free || c == ' ' || c == '\t' || c == '\n'
		if c == ':' && !a.free {
			return ErrBadHeader
		}
	}
	if !a.named {
		if err := a.nameOctet(c); err != nil {
			return err
		}
	}
	switch c {
	case '\n':
		if !a.cr {
			return ErrBareLF
		}
		a.body, a.column, a.cr = a.blank, 0, false
		return nil
	case '\r':
		a.cr = true
	default:
		a.cr, a.blank = false, false
	}
	a.column++
	return nil
}

// nameOctet checks an octet of a field name. QUIRK: the "From " line of mbox
// files passes.
func (a *appendFilter) nameOctet(c byte) error {
	if a.from >= 0 && c == fromLine[a.from] {
		if a.from++; a.from == len(fromLine) {
			a.named = true
		}
		return nil
	}
	a.from = -1
	switch {
	case c == ':':
		a.named = true
	case c <= ' ':
		return ErrBadHeader
	}
	return nil
}

// checkBody refuses a LF without CR.
func (a *appendFilter) checkBody(b []byte) error {
	if a.opts.Binary {
		return nil
	}
	for i := 0; ; {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			break
		}
		if at := i + k; at > 0 && b[at-1] != '\r' || at == 0 && !a.cr {
			return ErrBareLF
		}
		i += k + 1
	}
	a.cr = b[len(b)-1] == '\r'
	return nil
}

// end refuses a header that breaks off within a line.
func (a *appendFilter) end(dst []byte) ([]byte, error) {
	if !a.body && !a.free && a.column > 0 {
		return dst, ErrBadHeader
	}
	return dst, nil
}
