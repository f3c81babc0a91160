package imapserver

import (
	"errors"
	"net"
	"strings"
	"syscall"

	"gocyrus/lib/imapwire"
)

// untagged writes "* ", the parts and the line's end.
func (s *session) untagged(parts ...string) {
	b := append(s.in.Scratch(), "* "...)
	s.in.Commit(endLine(b, parts))
}

// tagged writes the tag, the parts and the line's end.
func (s *session) tagged(parts ...string) {
	b := append(s.in.Scratch(), s.tag...)
	b = append(b, ' ')
	s.in.Commit(endLine(b, parts))
}

func endLine(b []byte, parts []string) []byte {
	for _, p := range parts {
		b = append(b, p...)
	}
	return append(b, "\r\n"...)
}

// mailbox appends a mailbox name in the user's spelling. After ENABLE
// IMAP4rev2 names are UTF-8, and a name with other than ASCII goes out as a
// literal; before, they are modified UTF-7 as stored.
func (s *session) mailbox(b []byte, external string) []byte {
	if s.enabled&rev2 != 0 && strings.IndexByte(external, '&') >= 0 {
		if text, ok := decodeUTF7(external); ok {
			external = text
		}
	}
	return imapwire.AppendAString(b, external)
}

// isNetError says whether err is the connection's own.
func isNetError(err error) bool {
	var ne net.Error
	if errors.As(err, &ne) {
		// An error number by itself is of a file, though it has the methods.
		_, file := ne.(syscall.Errno)
		return !file
	}
	return errors.Is(err, net.ErrClosed)
}
