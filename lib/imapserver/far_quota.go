package imapserver

import (
	"errors"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// errManyServers is the error of a quota root that several servers would have to
// keep.
var errManyServers = imapwire.No("This mailbox hierarchy does not exist on a single backend server.")

// farRoot is far for a quota root: its server must have all that is below it.
func (s *session) farRoot(n mboxname.Name) error {
	err := s.far(n)
	var far *elsewhere
	if !errors.As(err, &far) {
		return err
	}
	server := far.at.entry.Server
	scan := s.srv.list.ScanTree(n, func(v mboxlist.View) error {
		r, err := v.Remote(nil)
		if err != nil {
			return err
		}
		if isMailbox(r.Type) && string(r.Server) != server {
			return errManyServers
		}
		return nil
	})
	if scan != nil {
		return scan
	}
	return err
}
