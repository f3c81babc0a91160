package imapserver

import (
	"errors"
	"strings"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/repair"
)

// reconstruct is RECONSTRUCT, for administrators: it mends a mailbox and, with
// RECURSIVE, those below it.
func (s *session) reconstruct(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	recursive := false
	if more, err := p.Accept(' '); err != nil {
		return err
	} else if more {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if recursive = strings.EqualFold(w, "RECURSIVE"); !recursive {
			return p.Extra()
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.admin {
		return errPermission
	}
	at, err := s.locate(name)
	if err != nil {
		return err
	}
	names := []mboxname.Name{at.name}
	if recursive {
		names = names[:0]
		err = s.srv.list.ScanTree(at.name, func(e mboxlist.View) error {
			names = append(names, e.Name())
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, n := range names {
		if err := s.mend(n); err != nil {
			return err
		}
	}
	return nil
}

// mend reconstructs one mailbox; what was wrong is for the log.
func (s *session) mend(n mboxname.Name) error {
	e, err := s.srv.list.Lookup(n)
	if err != nil {
		return err
	}
	findings, err := repair.Reconstruct(s.ctx, s.srv.site, e, repair.Options{})
	for _, f := range findings {
		log.Notice("reconstruct: %s", f.Text)
	}
	if errors.Is(err, repair.ErrNotLocal) {
		return nil
	}
	return err
}
