package popserver

import (
	"bytes"
	"errors"

	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
)

// send writes a message as RETR and TOP do: all of it, or its header and a
// number of lines.
func (s *session) send(m *entry, lines int64) {
	msg, err := s.open(m)
	if err != nil {
		log.Err("IOERROR: maildrop %s: uid %d: %v", s.drop.entry.Name, m.uid, err)
		s.reply("-ERR [SYS/PERM] Could not read message file")
		return
	}
	defer msg.Close()
	b := msg.Bytes()
	if lines >= 0 {
		b = b[:topLength(b, lines)]
	}
	s.reply("+OK Message follows")
	s.stuffed(b)
	if !bytes.HasSuffix(b, []byte("\n")) {
		s.in.WriteString("\r\n")
	}
	s.reply(".")
}

// open opens a message's file. Since login it may have been archived.
func (s *session) open(m *entry) (*mailbox.Message, error) {
	msg, err := s.drop.box.OpenFile(m.uid, m.archived)
	if errors.Is(err, mailbox.ErrGone) {
		if other, err := s.drop.box.OpenFile(m.uid, !m.archived); err == nil {
			return other, nil
		}
	}
	return msg, err
}

// stuffed writes text, a dot put before each line that begins with one (RFC
// 1939 section 3). What lies between such lines goes out as it lies.
func (s *session) stuffed(b []byte) {
	if len(b) > 0 && b[0] == '.' {
		s.in.WriteString(".")
	}
	for {
		i := bytes.Index(b, []byte("\n."))
		if i < 0 {
			break
		}
		s.in.WriteLarge(b[:i+1])
		s.in.WriteString(".")
		b = b[i+1:]
	}
	// An error stays with the connection, and ends the next read.
	s.in.WriteLarge(b)
}

// topLength is the length of the header of b, the empty line behind it, and a
// number of lines of the body.
func topLength(b []byte, lines int64) int {
	at := 0
	if !bytes.HasPrefix(b, []byte("\r\n")) {
		i := bytes.Index(b, []byte("\n\r\n"))
		if i < 0 {
			return len(b)
		}
		at = i + 1
	}
	at += len("\r\n")
	for ; lines > 0 && at < len(b); lines-- {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		at += i + 1
	}
	return at
}
