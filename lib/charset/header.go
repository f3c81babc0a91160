package charset

import (
	"bytes"
	"unicode/utf8"
)

// DecodeHeader appends the text of a header value to dst as UTF-8: encoded
// words (RFC 2047) decoded, line ends of folds dropped. Outside encoded words
// octets above 127 become U+FFFD, or are read as UTF-8 if rawUTF8 (the option
// rfc2047_utf8). A text that decodes to a NUL ends there.
//
// Words are found in the middle of a text too, white space between two words
// goes away, and a character or base64 quantum may be cut between words of the
// same kind: all of that is in the wild and in Cyrus.
func DecodeHeader(dst, s []byte, rawUTF8 bool) []byte {
	start := len(dst)
	if bytes.IndexByte(s, '\r') < 0 && !bytes.Contains(s, wordStart) {
		if rawUTF8 {
			var u utf8Reader
			dst = u.decode(dst, s)
		} else {
			dst = ascii7(dst, s)
		}
	} else {
		d := headerDecoder{dst: dst, raw: ASCII}
		if rawUTF8 {
			d.raw = UTF8
		}
		d.run(s)
		dst = d.dst
	}
	if i := bytes.IndexByte(dst[start:], 0); i >= 0 {
		return dst[:start+i]
	}
	return dst
}

var wordStart = []byte("=?")

type headerDecoder struct {
	dst  []byte
	raw  *Charset // of what is outside words
	cr   int      // unfolding: 1 after CR, 2 after CRLF
	conv Converter
	dec  Decoder
	cs   *Charset // of the last word, while its decoder may go on
	enc  Encoding
	buf  []byte
}

func (d *headerDecoder) run(s []byte) {
	wordBefore := false
	for from := 0; ; {
		i := bytes.Index(s[from:], wordStart)
		if i < 0 {
			break
		}
		at := from + i
		w, next, ok := cutWord(s[at:])
		if !ok {
			from = at + next
			continue
		}
		if !wordBefore || !isSpace(s[:at]) {
			d.text(s[:at])
			d.cs = nil
		}
		d.word(w)
		s, from, wordBefore = s[at+next:], 0, true
	}
	if len(s) > 0 {
		d.text(s)
	}
}

// text decodes what is outside encoded words.
func (d *headerDecoder) text(s []byte) {
	d.buf = d.unfold(d.buf[:0], s)
	d.conv.Reset(d.raw)
	d.dst = d.conv.Convert(d.dst, d.buf)
}

// unfold drops a CRLF that white space follows. State is kept from one piece
// to the next; a line end that the text ends with is dropped as well.
func (d *headerDecoder) unfold(dst, s []byte) []byte {
	for _, c := range s {
		switch {
		case d.cr == 0 && c == '\r':
			d.cr = 1
		case d.cr == 1 && c == '\n':
			d.cr = 2
		default:
			if d.cr == 1 {
				dst = append(dst, '\r')
			} else if d.cr == 2 && c != ' ' && c != '\t' {
				dst = append(dst, '\r', '\n')
			}
			d.cr = 0
			dst = append(dst, c)
		}
	}
	return dst
}

func (d *headerDecoder) word(w word) {
	cs := LookupBytes(w.charset)
	if cs == nil {
		d.dst = utf8.AppendRune(d.dst, utf8.RuneError)
		d.cs = nil
		return
	}
	if d.cs == nil || d.cs.canon != cs.canon || d.enc != w.enc {
		d.conv.Reset(cs)
		d.dec.Reset(w.enc)
		d.dec.header = true
	}
	d.cs, d.enc = cs, w.enc
	d.buf = d.dec.Flush(d.dec.Decode(d.buf[:0], w.text))
	d.dst = d.conv.Convert(d.dst, d.buf)
	if cs.kind == other {
		d.dst = d.conv.Flush(d.dst)
	}
}

type word struct {
	charset, text []byte
	enc           Encoding
}

// cutWord reads an encoded word at the start of s, which begins "=?". It
// returns the octets taken, or where the search goes on.
func cutWord(s []byte) (w word, next int, ok bool) {
	p := 2
	for p < len(s) && s[p] != '=' && s[p] != '?' {
		p++
	}
	if p+2 >= len(s) || s[p] != '?' {
		return w, p, false
	}
	// RFC 2231 section 5: a language may follow the character set.
	w.charset, _, _ = bytes.Cut(s[2:p], []byte{'*'})
	switch s[p+1] {
	case 'b', 'B':
		w.enc = Base64
	case 'q', 'Q':
		w.enc = QuotedPrintable
	default:
		return w, p, false
	}
	if s[p+2] != '?' {
		return w, p, false
	}
	text := p + 3
	for p = text; p < len(s) && s[p] != '?'; p++ {
		if s[p] == '=' && p+1 < len(s) && s[p+1] == '?' && (p+2 >= len(s) || s[p+2] != '=') {
			break // another word starts: this one was none
		}
	}
	if p+1 >= len(s) || s[p] != '?' || s[p+1] != '=' {
		return w, p, false
	}
	w.text = s[text:p]
	return w, p + 2, true
}

func isSpace(s []byte) bool {
	for _, c := range s {
		if c != ' ' && (c < '\t' || c > '\r') {
			return false
		}
	}
	return true
}
