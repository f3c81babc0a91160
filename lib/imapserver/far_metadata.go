package imapserver

import (
	"errors"

	"gocyrus/lib/imapwire"
)

// serverEntry is the entry that tells which server has a mailbox. It is the list's to
// tell, not that server's: who moves mailboxes asks a frontend for it.
const serverEntry = vendor + "server"

// tellServer answers a question for serverEntry when err is that of a mailbox that
// another server has. The error stays while anything else is asked, which that server
// is to answer.
func (s *session) tellServer(q *metadataQuery, err error) error {
	var far *elsewhere
	if !errors.As(err, &far) || far.at == nil || !q.ask.wants(serverEntry, false) {
		return err
	}
	server := far.at.entry.Server
	if q.maxSize < 0 || int64(len(server)) <= q.maxSize {
		b := append(s.in.Scratch(), "* METADATA "...)
		b = s.mailbox(b, far.at.ext)
		b = imapwire.AppendString(append(b, " ("...), "/shared"+serverEntry)
		b = imapwire.AppendString(append(b, ' '), server)
		if err := s.in.Commit(append(b, ")\r\n"...)); err != nil {
			return err
		}
	}
	for _, e := range q.entries {
		if e != "/shared"+serverEntry {
			return err
		}
	}
	return nil
}
