package synclog

import (
	"errors"
	"strings"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
)

// A Line is one entry of a log, as the file has it with its line feed; that of a
// rename is three lines, which are written at once. The zero Line is none.
type Line string

// maxLine is the longest line Cyrus writes, in octets. Its readers bound words and
// not lines.
const maxLine = 4096

// errBreak is the error of a name that no line can hold.
var errBreak = errors.New("illegal line break in folder name")

// Mailbox says that a mailbox changed.
func Mailbox(n mboxname.Name) Line { return line("MAILBOX", string(n)) }

// Append says that a mailbox got messages: the replica hears no more from it than
// from Mailbox, but who indexes messages does.
func Append(n mboxname.Name) Line { return line("APPEND", string(n)) }

// Double says that messages were copied: the replica has those of to in from.
func Double(from, to mboxname.Name) Line { return line("DOUBLEMAILBOX", string(from), string(to)) }

// Unmailbox says that a mailbox was removed for good.
func Unmailbox(n mboxname.Name) Line { return line("UNMAILBOX", string(n)) }

// Rename says that a mailbox has another name.
func Rename(from, to mboxname.Name) Line {
	first := line("RENAME", string(from), string(to))
	if first == "" {
		return ""
	}
	return first + Mailbox(from) + Mailbox(to)
}

// User says that all of a user may differ.
func User(userid string) Line { return line("USER", userid) }

// Unuser says that a user was removed.
func Unuser(userid string) Line { return line("UNUSER", userid) }

// Meta says that seen state, subscriptions or scripts of a user may differ.
func Meta(userid string) Line { return line("META", userid) }

// Quota says that the limits of a quota root changed.
func Quota(root mboxname.Name) Line { return line("QUOTA", string(root)) }

// Annotation says that annotations changed: of the server, when n is empty.
func Annotation(n mboxname.Name) Line { return line("ANNOTATION", string(n)) }

// Seen says that a user has read in a mailbox that is somebody else's.
func Seen(userid, uniqueID string) Line { return line("SEEN", userid, uniqueID) }

// Sub says that a user subscribed to a mailbox or ended that.
func Sub(userid string, n mboxname.Name) Line { return line("SUB", userid, string(n)) }

// Raw is a line as it stands, which the writer answers for.
func Raw(text string) Line {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return Line(text)
}

// line makes an entry; one that no reader could read is logged and left out.
func line(word string, args ...string) Line {
	size := len(word) + 1
	for _, a := range args {
		size += len(a) + 1
	}
	b := append(make([]byte, 0, size+8), word...)
	for _, a := range args {
		b = append(b, ' ')
		b = appendQuoted(b, a)
		if strings.ContainsAny(a, "\r\n\x00") {
			log.Err("sync_log(): %s %q: %v", word, a, errBreak)
			return ""
		}
	}
	if len(b) >= maxLine {
		log.Err("sync_log(): %s of %d octets is too long", word, len(b))
		return ""
	}
	return Line(append(b, '\n'))
}

// appendQuoted writes an argument. Cyrus quotes what its own reader would take
// apart, and no more: "%", "*" and octets beyond ASCII stand as they are.
func appendQuoted(b []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\\\"{} \t()") {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		switch s[i] {
		case '\\', '"', '{', '}':
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
