package charset

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// Converter turns text of one character set into UTF-8, in pieces. A sequence
// cut in two between pieces is joined. The zero Converter reads US-ASCII.
type Converter struct {
	cs    *Charset
	utf8  utf8Reader
	utf7  utf7Reader
	dec   *encoding.Decoder
	carry []byte // octets of a character not yet complete; a few
}

// Reset makes c ready for a text in cs; nil is US-ASCII.
func (c *Converter) Reset(cs *Charset) {
	if cs == nil {
		cs = ASCII
	}
	if cs.kind == other && cs.enc != nil && (c.cs == nil || c.cs.enc != cs.enc) {
		c.dec = cs.enc.NewDecoder()
	} else if c.dec != nil {
		c.dec.Reset()
	}
	c.cs, c.utf8, c.carry = cs, utf8Reader{}, c.carry[:0]
	c.utf7 = utf7Reader{imap: cs.kind == imapUTF7Set}
}

// Convert appends src to dst as UTF-8. What the character set does not have
// becomes U+FFFD.
func (c *Converter) Convert(dst, src []byte) []byte {
	k, enc := ascii, encoding.Encoding(nil)
	if c.cs != nil {
		k, enc = c.cs.kind, c.cs.enc
	}
	switch {
	case k == ascii:
		return ascii7(dst, src)
	case k == utf8Set:
		return c.utf8.decode(dst, src)
	case k == utf7Set || k == imapUTF7Set:
		return c.utf7.decode(dst, src)
	case enc == nil:
		return ascii7(dst, src)
	}
	return c.transform(dst, src, false)
}

// Flush ends the text.
func (c *Converter) Flush(dst []byte) []byte {
	if c.cs != nil && c.cs.kind == other && c.cs.enc != nil {
		dst = c.transform(dst, nil, true)
		c.dec.Reset()
	}
	return dst
}

func (c *Converter) transform(dst, src []byte, end bool) []byte {
	var buf [1024]byte
	if len(c.carry) > 0 {
		src = append(c.carry, src...)
		c.carry = nil
	}
	for {
		nd, ns, err := c.dec.Transformer.Transform(buf[:], src, end)
		dst = append(dst, buf[:nd]...)
		src = src[ns:]
		switch {
		case err == nil:
			return dst
		case errors.Is(err, transform.ErrShortDst) && (nd > 0 || ns > 0):
		case errors.Is(err, transform.ErrShortSrc) && !end && len(src) < 16:
			c.carry = append(c.carry[:0], src...)
			return dst
		default:
			// A decoder that gives up: skip one octet and go on.
			dst = utf8.AppendRune(dst, utf8.RuneError)
			if len(src) == 0 {
				return dst
			}
			src = src[1:]
			c.dec.Reset()
		}
	}
}

// ToUTF8 appends the whole text src, in cs, to dst as UTF-8.
func (cs *Charset) ToUTF8(dst, src []byte) []byte {
	var c Converter
	c.Reset(cs)
	return c.Flush(c.Convert(dst, src))
}

// ascii7 reads US-ASCII, and of character sets without a decoder what they have
// in common with it. NULs are dropped.
func ascii7(dst, src []byte) []byte {
	for start, i := 0, 0; ; i++ {
		if i < len(src) && src[i] < utf8.RuneSelf && src[i] != 0 {
			continue
		}
		dst = append(dst, src[start:i]...)
		if i == len(src) {
			return dst
		}
		if src[i] != 0 {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		start = i + 1
	}
}
