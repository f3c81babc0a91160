package imapserver

import (
	"fmt"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/log"
)

// expunge is EXPUNGE, and UID EXPUNGE (RFC 4315 section 2.1) with the set that
// bounds it.
func (s *session) expunge(p *imapwire.Parser) error {
	var set index.Numbers
	uid := s.byUID()
	if uid {
		if err := p.SP(); err != nil {
			return err
		}
		nums, err := p.NumSet(true)
		if err != nil {
			return err
		}
		set = s.sel.idx.Resolve(nums, s.sel.saved)
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := s.present(); err != nil {
		return err
	}
	n, err := s.sel.idx.Expunge(s.ctx, set, !uid)
	if err != nil {
		return err
	}
	s.logExpunge(n)
	c, err := s.refreshAfter(false)
	if err != nil {
		return err
	}
	if n > 0 {
		s.text = fmt.Sprintf("[HIGHESTMODSEQ %d] Completed", s.sel.idx.Told()) // RFC 7162 section 3.1.2.1
	}
	return s.tell(c, tellHow{uid: uid})
}

// logExpunge leaves the line that Cyrus does.
func (s *session) logExpunge(n int) {
	if n > 0 {
		log.Notice("Expunged %d messages from %s", n, s.sel.mbox.Name())
	}
}
