package syncserver

import (
	"context"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/sievedir"
)

// unmailbox is APPLY UNMAILBOX.
func (s *Session) unmailbox(ctx context.Context, value []byte, _ *Answer) error {
	name, err := csync.ParseText(value)
	if err != nil {
		return err
	}
	n := mboxname.Name(name)
	if checkName(n) != nil {
		return csync.ErrNonexistent
	}
	err = s.ops(ctx).DeleteReplica(ctx, n)
	if err == nil && n == s.e.scripts.Mailbox(n.Owner()) {
		s.refreshScripts(ctx, n, sievedir.Kind)
	}
	return err
}

// rename is APPLY RENAME.
func (s *Session) rename(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseRename(value)
	if err != nil {
		return err
	}
	if checkName(w.Old) != nil {
		return csync.ErrNonexistent
	}
	if err := checkName(w.New); err != nil {
		return err
	}
	return s.ops(ctx).RenameReplica(ctx, w.Old, w.New, w.Partition, w.UIDValidity)
}

// expunge is APPLY EXPUNGE: the master has found that these are to go, without
// this being a change that the master would have to hear of. As in Cyrus UIDs that
// are not there are passed over, but for the last.
func (s *Session) expunge(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseExpunge(value)
	if err != nil {
		return err
	}
	e, err := s.e.live(w.Name)
	if err != nil {
		return err
	}
	if e.UniqueID != w.UniqueID {
		return csync.ErrMoved
	}
	last := true
	err = s.e.site.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
		if err := supported(&tx.View); err != nil {
			return err
		}
		for _, uid := range w.UIDs {
			var recno int
			if recno, last = tx.Find(uid); !last {
				continue
			}
			if err := tx.ExpungeQuietly(recno); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !last {
		err = csync.ErrUnknown
	}
	return err
}

// refreshScripts has the compiled scripts of a user follow the mailbox that the
// scripts are in, when that is what was changed.
func (s *Session) refreshScripts(ctx context.Context, n mboxname.Name, kind byte) {
	userid := n.Owner()
	if kind != sievedir.Kind || userid == "" {
		return
	}
	if err := s.e.scripts.Refresh(ctx, userid); err != nil {
		log.Err("IOERROR: compiled scripts of %s: %v", userid, err)
	}
}
