package sievedir

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/charset"
	"gocyrus/lib/guid"
	"gocyrus/lib/times"
)

// foldAt is the length of a line of the Subject after which the next blank begins
// another, as Cyrus folds names that need no encoding.
const foldAt = 72

// build makes the message that holds a script. Everything but the time and the id
// follows from the arguments.
func (d *Dir) build(userid, name, id string, text []byte, now time.Time) []byte {
	host := d.opt.ServerName
	from := "<" + userid + ">"
	if !strings.Contains(userid, "@") {
		from = "<" + userid + "@" + host + ">"
	}
	var b bytes.Buffer
	b.WriteString("From: ")
	b.Write(encode(from))
	b.WriteString("\r\nSubject: ")
	b.Write(encode(name))
	b.WriteString("\r\nDate: " + times.Format(now) +
		"\r\nMessage-ID: <" + guid.Of(text).String() + "@" + host + ">" +
		"\r\nContent-Type: application/sieve; charset=utf-8" +
		"\r\nContent-Length: " + strconv.Itoa(len(text)) +
		"\r\nContent-Disposition: attachment;\r\n\tfilename=\"" + id + suffix + "\"" +
		"\r\nMIME-Version: 1.0\r\n\r\n")
	b.Write(text)
	return b.Bytes()
}

// encode makes the value of a header field of which nameOf gives text back: as
// it is where that is possible, in encoded words otherwise. Cyrus leaves text
// alone that begins or ends with blanks or looks like an encoded word, and does
// not find the script again.
func encode(text string) []byte {
	if !plain(text) {
		return charset.EncodeHeader(nil, []byte(text))
	}
	var b []byte
	line := 0
	for i := range len(text) {
		if text[i] == ' ' && line >= foldAt {
			b = append(b, "\r\n"...)
			line = 0
		}
		b = append(b, text[i])
		line++
	}
	return b
}

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return text == strings.Trim(text, " ") && !strings.Contains(text, "=?") && !strings.Contains(text, "  ")
}
