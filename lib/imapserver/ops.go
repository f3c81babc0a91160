package imapserver

import (
	"gocyrus/lib/acl"
	"gocyrus/lib/index"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

// asker is who asks for an operation, as mboxops wants to know.
func (s *session) asker() *mboxops.Who {
	return &mboxops.Who{
		UserID: s.user, Admin: s.admin, Proxy: s.who.State.IsProxy,
		Rights: s.rights,
	}
}

// emptyInbox is RENAME of the user's own INBOX: it stays, and its messages move
// to a new mailbox (RFC 9051 section 6.3.6).
func (s *session) emptyInbox(to mboxname.Name, params mboxops.RenameParams) error {
	from := mboxname.Inbox(s.user)
	if _, err := s.srv.ops.Create(s.ctx, s.asker(), to, mboxops.CreateParams{Partition: params.Partition}); err != nil {
		return err
	}
	mbox, who, err := s.enter(s.external(from), acl.Read|acl.DeleteMsg|acl.Expunge)
	if err != nil {
		return err
	}
	defer mbox.Close()
	idx, err := index.Open(s.ctx, mbox, who, false)
	if err != nil {
		return err
	}
	target, done, err := s.target(s.external(to))
	if err != nil {
		return err
	}
	defer done()
	if idx.Exists() == 0 {
		return nil
	}
	_, err = idx.Move(s.ctx, index.Numbers{{First: 1, Last: uint32(idx.Exists())}}, target)
	return err
}
