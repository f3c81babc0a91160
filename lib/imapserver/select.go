package imapserver

import (
	"errors"
	"strconv"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/seqset"
)

// selectedCommands are the commands that select a mailbox and work on it. Those
// that are quiet tell themselves what has changed, where it belongs in their
// answers.
var selectedCommands = map[string]command{
	"Select":      {in: signedIn, run: (*session).selectMailbox, how: quiet | refer, far: (*session).selectFar}, // RFC 9051 section 6.3.2
	"Examine":     {in: signedIn, run: (*session).selectMailbox, how: quiet | refer, far: (*session).selectFar}, // RFC 9051 section 6.3.3
	"Check":       {in: selected, run: (*session).check},                                                        // RFC 3501 section 6.4.1
	"Close":       {in: selected, run: (*session).closeMailbox, how: quiet, away: (*session).passLast},          // RFC 9051 section 6.4.1
	"Unselect":    {in: selected, run: (*session).unselect, how: quiet, away: (*session).passLast},              // RFC 9051 section 6.4.2
	"Expunge":     {in: selected, run: (*session).expunge, how: quiet | change},
	"UID Expunge": {in: selected, run: (*session).expunge, how: quiet | change}, // RFC 4315 section 2.1
	"Fetch":       {in: selected, run: (*session).fetch, how: quiet},
	"UID Fetch":   {in: selected, run: (*session).fetch, how: quiet},
	"Store":       {in: selected, run: (*session).store, how: quiet | change},
	"UID Store":   {in: selected, run: (*session).store, how: quiet | change},
	"Search":      {in: selected, run: (*session).search, how: quiet},
	"UID Search":  {in: selected, run: (*session).search, how: quiet},
	"Copy":        {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar},
	"UID Copy":    {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar},
	"Move":        {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar}, // RFC 6851
	"UID Move":    {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar},
	"Xmove":       {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar}, // MOVE before it had a number
	"UID Xmove":   {in: selected, run: (*session).copy, how: quiet | change, away: (*session).copyFar},
	"Append":      {in: signedIn, run: (*session).appendMessages, how: change | refer, far: (*session).appendFar}, // RFC 9051 section 6.3.12
	"Replace":     {in: selected, run: (*session).replace, how: change, away: (*session).replaceFar},              // RFC 8508
	"UID Replace": {in: selected, run: (*session).replace, how: change, away: (*session).replaceFar},
	"Uid":         {in: selected}, // dispatched by the word after it
}

// selection is the selected mailbox.
type selection struct {
	name   mboxname.Name // that it was selected by
	mbox   *mailbox.Mailbox
	idx    *index.State
	flags  flagText
	saved  seqset.Set // what "$" stands for, in UIDs (RFC 5182)
	listed uint64     // generation of the list that the name was last looked up in
	gone   bool       // the mailbox was deleted or renamed, and the client told
}

// selectMailbox is SELECT and EXAMINE.
func (s *session) selectMailbox(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	args, err := p.Select(imapwire.SelectRules{QResync: s.enabled&qResync != 0, Expunged: s.srv.opts.Deleted})
	if err != nil {
		return err
	}
	if s.sel != nil {
		s.deselect()
		s.untagged("OK [CLOSED] Ok") // RFC 7162 section 3.2.11
	}
	mbox, who, err := s.enter(name, acl.Read)
	if !errors.Is(err, errRemote) {
		s.leaveFar()
	}
	if err != nil {
		return err
	}
	idx, err := index.Open(s.ctx, mbox, who, s.name == "Examine")
	if err != nil {
		mbox.Close()
		return err
	}
	s.sel = &selection{name: mbox.Name(), mbox: mbox, idx: idx}
	s.resetFlags()
	s.warnOfQuota()
	s.svc.Proc.SetMailbox(string(s.sel.name))
	s.state = selected
	if args.CondStore || args.QResync != nil {
		s.enabled |= condStore
	}
	if err = s.describe(); err == nil && args.QResync != nil {
		err = s.resync(args.QResync)
	}
	if err != nil {
		s.deselect() // RFC 9051 section 6.3.2: after a failure none is selected
		return err
	}
	s.text = "[READ-WRITE] Completed"
	if idx.ReadOnly() || who.Rights&writable == 0 {
		s.text = "[READ-ONLY] Completed"
	}
	return nil
}

// writable are the rights of which one makes a mailbox more than readable.
const writable = acl.Write | acl.Insert | acl.SetSeen | acl.DeleteMsg | acl.Expunge

// describe writes what SELECT says of the mailbox, in Cyrus's order.
func (s *session) describe() error {
	idx := s.sel.idx
	var h indexfile.Header
	var unseen int
	err := idx.View(s.ctx, func(r *index.Reader) error {
		h, unseen = *r.Header(), r.FirstUnseen()
		return nil
	})
	if err != nil {
		return err
	}
	b := s.appendExists(s.in.Scratch())
	b = s.appendFlagLists(b)
	if unseen > 0 {
		b = appendCode(b, "UNSEEN ", uint64(unseen))
	}
	b = appendCode(b, "UIDVALIDITY ", uint64(h.UIDValidity))
	b = appendCode(b, "UIDNEXT ", uint64(idx.LastUID())+1)
	b = appendCode(b, "HIGHESTMODSEQ ", idx.Told())
	b = append(b, "* OK [MAILBOXID ("...)
	b = append(b, s.sel.mbox.UniqueID()...)
	b = append(b, ")] Ok\r\n* OK [URLMECH INTERNAL] Ok\r\n* OK [ANNOTATIONS 65536] Ok\r\n"...)
	if s.enabled&rev2 != 0 {
		// RFC 9051 section 6.3.2: the name as the server spells it.
		b = append(append(append(b, `* LIST () "`...), s.view.Sep()), `" `...)
		b = append(s.mailbox(b, s.external(s.sel.name)), "\r\n"...)
	}
	return s.in.Commit(b)
}

// appendCode appends an untagged OK with a response code that has a number.
func appendCode(b []byte, code string, n uint64) []byte {
	b = append(append(b, "* OK ["...), code...)
	return append(strconv.AppendUint(b, n, 10), "] Ok\r\n"...)
}

// check is CHECK: all that it could do has been done.
func (s *session) check(p *imapwire.Parser) error { return p.EOL() }

// unselect is UNSELECT.
func (s *session) unselect(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	s.deselect()
	return nil
}

// closeMailbox is CLOSE: what is marked as deleted goes without a word.
func (s *session) closeMailbox(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	n, err := s.sel.idx.Expunge(s.ctx, nil, true)
	s.logExpunge(n)
	s.deselect()
	if errors.Is(err, index.ErrRights) || errors.Is(err, index.ErrReadOnly) || errors.Is(err, mailbox.ErrNotFound) {
		return nil // RFC 9051 section 6.4.1: no error without the right
	}
	return err
}

// deselect closes the selected mailbox, if there is one.
func (s *session) deselect() {
	if s.sel == nil {
		return
	}
	s.sel.mbox.Close()
	s.sel = nil
	s.svc.Proc.SetMailbox("")
	s.state = signed
}
