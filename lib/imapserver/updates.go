package imapserver

import (
	"errors"
	"strconv"

	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// sendUpdates writes what has changed in the selected mailbox.
func (s *session) sendUpdates(allowExpunge bool) error {
	if s.sel == nil || s.sel.gone {
		return nil
	}
	c, err := s.refresh(!allowExpunge)
	if errors.Is(err, mailbox.ErrNotFound) {
		return nil // told; what the client did before is done
	}
	if err != nil {
		return err
	}
	return s.tell(c, tellHow{})
}

// idleKey is the key under which changes of the selected mailbox are told.
func (s *session) idleKey() string {
	if s.sel == nil {
		return ""
	}
	return s.sel.mbox.UniqueID()
}

// refresh brings the view up to date. When the mailbox is gone the client is
// told that its messages are.
func (s *session) refresh(hold bool) (*index.Changes, error) {
	if err := s.present(); err != nil {
		return nil, err
	}
	c, err := s.sel.idx.Refresh(s.ctx, hold)
	if errors.Is(err, mailbox.ErrNotFound) {
		s.vanish()
	}
	return c, err
}

// refreshAfter is refresh after a command that has changed something: that it is done
// is true too of a mailbox that has gone since.
func (s *session) refreshAfter(hold bool) (*index.Changes, error) {
	c, err := s.refresh(hold)
	if errors.Is(err, mailbox.ErrNotFound) {
		return &index.Changes{}, nil
	}
	return c, err
}

// tellHow says how changes are told.
type tellHow struct {
	uid  bool          // after a UID command: with UIDs
	skip index.Numbers // flags of these are part of the command's own answer
}

// tell writes changes, in Cyrus's order.
func (s *session) tell(c *index.Changes, how tellHow) error {
	if c.Empty() {
		return nil
	}
	if err := s.announce(c); err != nil {
		return err
	}
	return s.tellFlags(c, how)
}

// announce writes what must be told before the flags of messages.
func (s *session) announce(c *index.Changes) error {
	b := s.appendGone(s.in.Scratch(), c.Gone)
	if c.Exists {
		b = s.appendExists(b)
	}
	if c.Keywords {
		s.resetFlags()
		b = s.appendFlagLists(b)
	}
	return s.in.Commit(b)
}

// tellFlags writes the flags of changed messages; of those whose change the
// client asked not to be echoed only the modseq, if it follows those. When the mailbox
// has gone meanwhile there are none: the command that they are told after is done.
func (s *session) tellFlags(c *index.Changes, how tellHow) error {
	if len(c.Flags)+len(c.Silent) == 0 {
		return nil
	}
	var out []byte
	err := s.sel.idx.View(s.ctx, func(r *index.Reader) error {
		out = s.appendChanged(out, r, c, how)
		return nil
	})
	if errors.Is(err, mailbox.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.in.Write(out)
	return err
}

// appendChanged appends what tellFlags writes.
func (s *session) appendChanged(b []byte, r *index.Reader, c *index.Changes, how tellHow) []byte {
	modseq := s.enabled&condStore != 0
	uid := how.uid || s.enabled&qResync != 0
	for _, seq := range c.Flags {
		if !how.skip.Contains(seq) {
			b = s.appendFlagsOf(b, r, seq, uid, modseq)
		}
	}
	if !modseq {
		return b
	}
	for _, seq := range c.Silent {
		b = appendModSeq(b, r, seq, uid)
	}
	return b
}

// appendModSeq appends a FETCH with nothing but the new modseq (RFC 7162 section
// 3.1.3: .SILENT does not keep it back).
func appendModSeq(b []byte, r *index.Reader, seq int, uid bool) []byte {
	raw, ok := r.Raw(seq)
	if !ok {
		return b
	}
	b = appendFetch(b, seq)
	if uid {
		b = strconv.AppendUint(append(b, "UID "...), uint64(raw.UID()), 10)
		b = append(b, ' ')
	}
	b = strconv.AppendUint(append(b, "MODSEQ ("...), r.ModSeq(raw), 10)
	return append(b, "))\r\n"...)
}

// appendGone appends EXPUNGE for each message or, for a client that knows it,
// one VANISHED for all (RFC 7162 section 3.2.10).
func (s *session) appendGone(b []byte, gone []index.Gone) []byte {
	if len(gone) == 0 {
		return b
	}
	if s.enabled&qResync == 0 {
		for _, g := range gone {
			b = strconv.AppendInt(append(b, "* "...), int64(g.Seq), 10)
			b = append(b, " EXPUNGE\r\n"...)
		}
		return b
	}
	b = append(b, "* VANISHED "...)
	for i := 0; i < len(gone); {
		j := i + 1
		for j < len(gone) && gone[j].UID == gone[j-1].UID+1 {
			j++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = seqset.Set{{First: gone[i].UID, Last: gone[j-1].UID}}.Append(b)
		i = j
	}
	return append(b, "\r\n"...)
}

// appendExists appends EXISTS and RECENT; IMAP4rev2 has no RECENT.
func (s *session) appendExists(b []byte) []byte {
	b = strconv.AppendInt(append(b, "* "...), int64(s.sel.idx.Exists()), 10)
	b = append(b, " EXISTS\r\n"...)
	if s.enabled&rev2 != 0 {
		return b
	}
	b = strconv.AppendInt(append(b, "* "...), int64(s.sel.idx.Recent()), 10)
	return append(b, " RECENT\r\n"...)
}
