package mupdateserver

import (
	"fmt"
	"strconv"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// dump writes a line about every mailbox that want wants, in the order of the
// list's keys: that of the hierarchy, which Cyrus's readers rely on.
func (s *session) dump(tag string, want func(where []byte, r *mboxlist.Remote) bool) error {
	sc := scanner{list: s.srv.list, self: s.srv.table.self}
	var where, piece []byte
	for !sc.done {
		piece = piece[:0]
		err := sc.piece(func(dbname []byte, r *mboxlist.Remote) error {
			where = sc.location(where[:0], r)
			if !want(where, r) {
				return nil
			}
			name, err := mboxname.FromDB(string(dbname))
			if err == nil {
				piece = appendRemote(append(append(piece, tag...), ' '), name, where, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.in.WriteLarge(piece); err != nil {
			return err
		}
	}
	return nil
}

// appendRemote is mupdate.AppendEntry for a record that is only looked at.
func appendRemote(b []byte, name mboxname.Name, where []byte, r *mboxlist.Remote) []byte {
	word := mupdate.Active
	if r.Is(mboxlist.FlagReserved) {
		word = mupdate.Reserved
	}
	b = mupdate.AppendLiteral(append(append(b, word.String()...), ' '), string(name))
	b = appendLiteral(append(b, ' '), where)
	if word == mupdate.Active {
		b = appendLiteral(append(b, ' '), r.ACL)
	}
	return append(b, "\r\n"...)
}

func appendLiteral(b, s []byte) []byte {
	b = strconv.AppendInt(append(b, '{'), int64(len(s)), 10)
	return append(append(b, "+}\r\n"...), s...)
}

// update is UPDATE: the session becomes a stream, of all mailboxes or of those
// of some servers.
func (s *session) update(hosts []string) error {
	if err := s.srv.fresh(s.ctx); err != nil {
		return s.away(err)
	}
	st := &stream{wake: s.in.Interrupt, cut: func() { _ = s.in.Socket().Close() }}
	if len(hosts) > 0 {
		st.hosts = map[string]struct{}{}
		for _, h := range hosts {
			st.hosts[h] = struct{}{}
		}
	}
	// First the place in the list of changes, then the list as it is: what
	// changes meanwhile is told again, and nothing is missed.
	if err := s.srv.table.open(st); err != nil {
		return s.broken(err)
	}
	s.stream, s.prefix = st, []byte(s.tag+" ")
	err := s.dump(s.tag, func(_ []byte, r *mboxlist.Remote) bool {
		if st.hosts == nil {
			return true
		}
		_, ok := st.hosts[string(r.Server)]
		return ok
	})
	if err != nil {
		return s.broken(err)
	}
	s.reply("OK", "streaming starts")
	return nil
}

// tellUpdates writes what a stream has to tell. What the flush of the next wait
// cannot send breaks the connection.
func (s *session) tellUpdates() error {
	if s.stream == nil {
		return nil
	}
	lines, ok := s.srv.changes.take(s.stream, s.lines[:0])
	if !ok {
		return errBehind
	}
	for _, l := range lines {
		b := append(append(s.in.Scratch(), s.prefix...), l...)
		if err := s.in.Commit(b); err != nil {
			return err
		}
	}
	clear(lines)
	s.lines = lines[:0]
	if cap(s.lines) > 4096 {
		s.lines = nil
	}
	return nil
}

// errBehind ends a stream that was cut off.
var errBehind = fmt.Errorf("too far behind: %w", errBye)

// broken ends a session for which the list cannot be read, or whose client does
// not read: after half an answer there is no other.
func (s *session) broken(err error) error {
	log.Err("IOERROR: mailbox list for %s: %v", s.svc.Peer(), err)
	return err
}
