package imapserver

import (
	"errors"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// present makes sure that the selected mailbox still is what it was selected as,
// and takes over what has changed of the user's rights. One that is under way to another
// server may stay; one that was deleted, renamed or has moved is gone: the client is told so once, and the error then and later
// is mailbox.ErrNotFound.
func (s *session) present() error {
	if s.sel.gone {
		return mailbox.ErrNotFound
	}
	gen := s.srv.list.Generation()
	if gen != 0 && gen == s.sel.listed {
		return nil
	}
	e, err := s.srv.list.Lookup(s.sel.name)
	switch {
	case err == nil && exists(e) && !e.Is(mboxlist.FlagRemote) && e.UniqueID == s.sel.mbox.UniqueID():
		s.sel.listed = gen
		s.sel.idx.SetRights(s.rights(e.Name, e.ACL))
		return nil
	case err == nil || errors.Is(err, mboxlist.ErrNotFound):
		s.vanish()
		return mailbox.ErrNotFound
	}
	return err
}

// vanish tells the client that the messages of the selected mailbox are gone.
func (s *session) vanish() {
	s.sel.gone = true
	s.sel.saved = nil
	s.in.Commit(s.appendGone(s.in.Scratch(), s.sel.idx.Drop()))
}
