// Package charset holds the text side of mail: content transfer encodings,
// character sets, encoded words of headers, the folding that text searches
// compare by, and the modified UTF-7 of mailbox names.
//
// Everything is made to give what Cyrus 3.6 and 3.10 give, because results are
// stored: decoded subjects and names in cyrus.cache, digests of decoded parts
// in its section table. So where Cyrus is lenient (base64 with foreign octets,
// quoted-printable with bad escapes, encoded words with white space) this
// package is lenient in the same way, and nothing that arrives is an error.
//
// Decoders append to a slice the caller owns. They work in time linear in
// their input and hold no more than a line or a character of it.
package charset

import (
	"bytes"
	"slices"
)

// Encoding is a content transfer encoding (RFC 2045 section 6), numbered as in
// the section table of cyrus.cache.
type Encoding uint8

// The encodings cyrus.cache knows. None stands for 7bit, 8bit and binary.
const (
	None            Encoding = 0
	QuotedPrintable Encoding = 1
	Base64          Encoding = 2
	Base64URL       Encoding = 3
	Unknown         Encoding = 255
)

// maxQPLine is how many octets of one quoted-printable line are held; a longer
// line is decoded in pieces of this size, as Cyrus does.
const maxQPLine = 999

// LookupEncoding gives the encoding of a Content-Transfer-Encoding token in
// upper case; an empty token, an absent field, is None.
func LookupEncoding(token []byte) Encoding {
	switch string(token) {
	case "", "7BIT", "8BIT", "BINARY":
		return None
	case "QUOTED-PRINTABLE":
		return QuotedPrintable
	case "BASE64":
		return Base64
	}
	return Unknown
}

// Decoder undoes a transfer encoding, in pieces. The zero Decoder passes
// octets through. It may be used again after Reset.
type Decoder struct {
	enc    Encoding
	header bool // the Q encoding of RFC 2047: "_" is a space
	// base64: how many sextets of a quantum were seen, and the last of them
	held int
	last byte
	line []byte // quoted-printable: a line not yet ended, without its CRs
}

// Reset makes d ready for a text in enc.
func (d *Decoder) Reset(enc Encoding) {
	d.enc, d.header, d.held, d.line = enc, false, 0, d.line[:0]
}

// Decode appends the decoded form of src to dst. What it holds back comes with
// a later Decode or Flush. Unknown encodings yield nothing.
func (d *Decoder) Decode(dst, src []byte) []byte {
	switch d.enc {
	case None:
		return append(dst, src...)
	case QuotedPrintable:
		return d.quotedPrintable(dst, src)
	case Base64:
		return d.base64(dst, src, &std64)
	case Base64URL:
		return d.base64(dst, src, &url64)
	}
	return dst
}

// Flush appends what is still held back at the end of a text.
func (d *Decoder) Flush(dst []byte) []byte {
	if len(d.line) > 0 {
		dst = d.qpLine(dst, d.line, false)
		d.line = d.line[:0]
	}
	return dst
}

func (d *Decoder) quotedPrintable(dst, src []byte) []byte {
	for len(src) > 0 {
		line, rest, ended := bytes.Cut(src, []byte{'\n'})
		src = rest
		if ended && len(d.line) == 0 {
			whole := bytes.TrimSuffix(line, []byte{'\r'})
			if len(whole) < maxQPLine && bytes.IndexByte(whole, '\r') < 0 {
				dst = d.qpLine(dst, whole, true)
				continue
			}
		}
		for _, c := range line {
			if c == '\r' {
				continue
			}
			if d.line = append(d.line, c); len(d.line) == maxQPLine {
				dst = d.qpLine(dst, d.line, false)
				d.line = d.line[:0]
			}
		}
		if ended {
			dst = d.qpLine(dst, d.line, true)
			d.line = d.line[:0]
		}
	}
	return dst
}

// qpLine decodes one line without its line end. Trailing white space is
// transport padding (RFC 2045 section 6.7 rule 3); an escape that is none
// stays as it is.
func (d *Decoder) qpLine(dst, line []byte, ended bool) []byte {
	for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t') {
		line = line[:len(line)-1]
	}
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			dst = d.literal(dst, line)
			break
		}
		dst = d.literal(dst, line[:i])
		line = line[i:]
		if len(line) == 1 {
			ended = false // a soft line break
			break
		}
		if len(line) >= 3 && unhex[line[1]] < 16 && unhex[line[2]] < 16 {
			dst = append(dst, unhex[line[1]]<<4|unhex[line[2]])
			line = line[3:]
			continue
		}
		dst = append(dst, '=')
		line = line[1:]
	}
	if ended {
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// literal appends octets that are no escapes.
func (d *Decoder) literal(dst, src []byte) []byte {
	n := len(dst)
	dst = append(dst, src...)
	if d.header {
		for i, c := range dst[n:] {
			if c == '_' {
				dst[n+i] = ' '
			}
		}
	}
	return dst
}

func (d *Decoder) base64(dst, src []byte, t *table64) []byte {
	dst = slices.Grow(dst, len(src)/4*3+3)
	n := len(dst)
	out := dst[:cap(dst)]
	for i := 0; i < len(src); {
		if d.held == 0 {
			// Whole quanta, until an octet that is not of the alphabet.
			for i+4 <= len(src) {
				s := src[i : i+4 : i+4]
				v := t.quad[0][s[0]] | t.quad[1][s[1]] | t.quad[2][s[2]] | t.quad[3][s[3]]
				if v >= 1<<24 {
					break
				}
				o := out[n : n+3 : n+3]
				o[0], o[1], o[2] = byte(v>>16), byte(v>>8), byte(v)
				n += 3
				i += 4
			}
			if i == len(src) {
				break
			}
		}
		v := t.value[src[i]]
		i++
		if v >= 64 {
			if v == pad64 {
				d.held = 0
			}
			continue // anything foreign is skipped
		}
		switch d.held {
		case 1:
			out[n] = d.last<<2 | v>>4
			n++
		case 2:
			out[n] = d.last<<4 | v>>2
			n++
		case 3:
			out[n] = d.last<<6 | v
			n++
			d.held, d.last = 0, 0
			continue
		}
		d.held, d.last = d.held+1, v
	}
	return dst[:n]
}

// pad64 and skip64 are the values of "=" and of octets outside the alphabet.
const (
	pad64  = 64
	skip64 = 127
)

// table64 is an alphabet of base64: the sextet of each octet, and the same
// shifted to its place in a quantum, or 1<<24 for what is no sextet.
type table64 struct {
	value [256]byte
	quad  [4][256]uint32
}

var (
	std64 = newTable64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
	url64 = newTable64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
	unhex = newUnhex()
)

func newTable64(alphabet string) (t table64) {
	for c := range t.value {
		t.value[c] = skip64
		for q := range t.quad {
			t.quad[q][c] = 1 << 24
		}
	}
	for v, c := range []byte(alphabet) {
		t.value[c] = byte(v)
		for q := range t.quad {
			t.quad[q][c] = uint32(v) << (18 - 6*q)
		}
	}
	t.value['='] = pad64
	return t
}

func newUnhex() (t [256]byte) {
	for c := range t {
		switch {
		case '0' <= c && c <= '9':
			t[c] = byte(c - '0')
		case 'a' <= c && c <= 'f':
			t[c] = byte(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			t[c] = byte(c - 'A' + 10)
		default:
			t[c] = 255
		}
	}
	return t
}
