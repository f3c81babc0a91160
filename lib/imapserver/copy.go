package imapserver

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
)

// errNoMessage is the error of a set of numbers that names no message.
var errNoMessage = imapwire.No("No matching messages")

// fromTo reads what COPY, MOVE and REPLACE begin with: which messages, also as the client
// spells it ($ too), and the mailbox.
func (s *session) fromTo(p *imapwire.Parser) (set imap.NumSet, spelt, name string, err error) {
	if err = p.SP(); err != nil {
		return nil, "", "", err
	}
	if set, err = p.NumSetSP(s.byUID()); err != nil {
		return nil, "", "", err
	}
	spelt = string(bytes.TrimSpace(s.in.Recorded()))
	name, err = p.AString()
	return set, spelt, name, err
}

// copy is COPY, MOVE (RFC 6851), Cyrus's XMOVE and their UID forms.
func (s *session) copy(p *imapwire.Parser) error {
	uid := s.byUID()
	move := isMove(s.name)
	set, _, name, err := s.fromTo(p)
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := s.present(); err != nil {
		return err
	}
	if uid {
		c, err := s.refresh(false)
		if err != nil {
			return err
		}
		if err := s.tell(c, tellHow{uid: true}); err != nil {
			return err
		}
	}
	// Cyrus looks first whether there is a target, then what to copy, and last
	// whether the user may.
	if _, err := s.locate(name); err != nil {
		var far *elsewhere
		if errors.As(err, &far) {
			return s.copyAway(set, far.at)
		}
		return s.tryCreate(name, err)
	}
	if move {
		if err := s.sel.idx.MayRemove(); err != nil {
			return err
		}
	}
	if len(s.sel.idx.Resolve(set, s.sel.saved)) == 0 {
		return s.nothingToCopy(set, uid)
	}
	t, done, err := s.target(name)
	if err != nil {
		return err
	}
	defer done()
	copied, err := s.copyTo(set, t, move)
	if errors.Is(err, index.ErrNoMessage) {
		return s.nothingToCopy(set, uid)
	}
	if errors.Is(err, mailbox.ErrGone) {
		return errExpungeIssued
	}
	if err != nil {
		return err
	}
	return s.answerCopy(copied, t, uid, move)
}

// nothingToCopy is what to say of a set that names no message: with numbers it
// is an error, with UIDs none (RFC 9051 section 6.4.9).
func (s *session) nothingToCopy(set imap.NumSet, uid bool) error {
	if uid || imap.IsSearchRes(set) {
		return s.sendUpdates(uid)
	}
	return errNoMessage
}

func (s *session) copyTo(set imap.NumSet, t index.Target, move bool) (*index.Copied, error) {
	nums := s.sel.idx.Resolve(set, s.sel.saved)
	if move {
		return s.sel.idx.Move(s.ctx, nums, t)
	}
	return s.sel.idx.Copy(s.ctx, nums, t)
}

// answerCopy tells the new UIDs, unless the user may not read there (RFC 4315
// section 3), and what changed here.
func (s *session) answerCopy(c *index.Copied, t index.Target, uid, move bool) error {
	text := "Completed"
	if t.Who.Rights&acl.Read != 0 {
		text = fmt.Sprintf("[COPYUID %d %s %s] Completed", c.UIDValidity,
			c.From, c.To)
	}
	if move {
		// RFC 6851 section 4.3: before the EXPUNGEs.
		s.untagged("OK ", text)
	} else {
		s.text = text
	}
	changes, err := s.refreshAfter(!uid && !move)
	if err != nil {
		return err
	}
	return s.tell(changes, tellHow{uid: uid})
}
