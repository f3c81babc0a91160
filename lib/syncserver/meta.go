package syncserver

import (
	"context"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/csync"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/seen"
)

// checkUser says whether a userid can be one. What is kept for a user is found by
// a path that is made of it.
func checkUser(userid string) error {
	if userid == "" || strings.ContainsAny(userid, "/\x00") || mboxname.Inbox(userid).Check() != nil || !mboxname.Inbox(userid).IsInbox() {
		return csync.ErrInvalidUser
	}
	return nil
}

// metaItems appends what GET META gives.
func (s *Session) metaItems(ctx context.Context, userid string, a *Answer) error {
	st := s.e.site
	err := st.Seen.For(userid, st.Ops.InboxID(userid)).Scan(func(id string, r seen.Record) error {
		w := csync.Seen{UniqueID: id, LastRead: r.LastRead, LastUID: r.LastUID, LastChange: r.LastChange, UIDs: r.UIDs}
		return a.item("SEEN", func(dst []byte) []byte { return w.Append(dst, csync.FromServer) })
	})
	if err != nil {
		return err
	}
	names, err := st.Subs.List(st.Ops.User(userid))
	if err != nil {
		return err
	}
	if len(names) > 0 {
		list := make([]string, len(names))
		for i, n := range names {
			list[i] = string(n)
		}
		if err := a.item("LSUB", func(dst []byte) []byte { return csync.FromServer.AppendList(dst, list) }); err != nil {
			return err
		}
	}
	if s.sieveMailbox() {
		return nil
	}
	return s.scriptItems(ctx, userid, a)
}

// sub and unsub are APPLY SUB and UNSUB. The mailbox need not be there.
func (s *Session) sub(_ context.Context, value []byte, _ *Answer) error {
	return s.subscribe(value, true)
}

func (s *Session) unsub(_ context.Context, value []byte, _ *Answer) error {
	return s.subscribe(value, false)
}

func (s *Session) subscribe(value []byte, on bool) error {
	w, err := csync.ParseSub(value)
	if err != nil {
		return err
	}
	if err := checkUser(w.UserID); err != nil {
		return err
	}
	if w.Name == "" || strings.ContainsAny(string(w.Name), "\x00\r\n") {
		return csync.ErrBadParameters
	}
	st := s.e.site
	return st.Subs.Set(st.Ops.User(w.UserID), w.Name, on)
}

// seen is APPLY SEEN: what the master says counts, whatever was there.
func (s *Session) seen(_ context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseSeen(value)
	if err != nil {
		return err
	}
	if err := checkUser(w.UserID); err != nil {
		return err
	}
	// The record is a line, the key a text without NUL.
	if w.UniqueID == "" || strings.Trim(w.UIDs, "0123456789,:*") != "" || strings.ContainsAny(w.UniqueID, "\x00\r\n") {
		return csync.ErrBadParameters
	}
	st := s.e.site
	r := seen.Record{LastRead: w.LastRead, LastUID: w.LastUID, LastChange: w.LastChange, UIDs: w.UIDs}
	return st.Seen.For(w.UserID, st.Ops.InboxID(w.UserID)).Put(w.UniqueID, r)
}

// quota is APPLY QUOTA.
func (s *Session) quota(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseQuota(value)
	if err != nil {
		return err
	}
	root := mboxname.Name(w.Root)
	if err := checkRoot(root); err != nil {
		return err
	}
	return s.e.site.Ops.SetQuotaReplica(ctx, root, w.Limits, w.ModSeq)
}

// checkRoot says whether a quota root can be one: a mailbox's name, or a domain's.
func checkRoot(root mboxname.Name) error {
	if root.Domain() != "" && root.Local() == "" {
		root += "x"
	}
	if strings.Contains(string(root), "/") {
		return csync.ErrBadParameters
	}
	return root.Check()
}

// unquota is APPLY UNQUOTA. A root that is not there is gone.
func (s *Session) unquota(ctx context.Context, value []byte, _ *Answer) error {
	root, err := csync.ParseText(value)
	if err != nil {
		return err
	}
	if checkRoot(mboxname.Name(root)) != nil {
		return nil
	}
	return s.e.site.Ops.DeleteQuotaReplica(ctx, mboxname.Name(root))
}

// unuser is APPLY UNUSER. Nobody, and one who is not there, is gone.
func (s *Session) unuser(ctx context.Context, value []byte, _ *Answer) error {
	userid, err := csync.ParseText(value)
	if err != nil {
		return err
	}
	if userid == "" {
		return nil
	}
	if err := checkUser(userid); err != nil {
		return err
	}
	return s.ops(ctx).DeleteUser(ctx, userid, mboxops.UserRemoval{})
}

// getAnnotation is GET ANNOTATION: those of the server, for the empty name. Those
// of a mailbox are part of the MAILBOX.
func (s *Session) getAnnotation(_ context.Context, value []byte, a *Answer) error {
	name, err := csync.ParseText(value)
	if err != nil || name != "" {
		return err
	}
	return s.e.site.Annotations.Scan(annotate.Server, func(k annotate.Key, v annotate.Value) error {
		if v.Deleted {
			return nil
		}
		w := csync.MailboxAnnotation{Entry: k.Entry, UserID: k.User, Value: v.Data, HasValue: true}
		return a.item("ANNOTATION", func(dst []byte) []byte { return w.Append(dst, csync.FromServer) })
	})
}

// annotation and unannotation are APPLY ANNOTATION and UNANNOTATION.
func (s *Session) annotation(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseMailboxAnnotation(value)
	if err != nil {
		return err
	}
	if !w.HasValue {
		return csync.ErrBadParameters
	}
	if w.Value == nil {
		w.Value = []byte{}
	}
	return s.annotate(ctx, w)
}

func (s *Session) unannotation(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseMailboxAnnotation(value)
	if err != nil {
		return err
	}
	w.Value = nil
	return s.annotate(ctx, w)
}

func (s *Session) annotate(ctx context.Context, w *csync.MailboxAnnotation) error {
	// Entries and users are keys between NULs.
	if !strings.HasPrefix(w.Entry, "/") || strings.Contains(w.Entry+w.UserID, "\x00") {
		return csync.ErrBadParameters
	}
	c := annotate.Change{Key: annotate.Key{Scope: annotate.Server, Entry: w.Entry, User: w.UserID}, Data: w.Value}
	st := s.e.site
	if w.Name == "" {
		return st.Annotations.Apply(c)
	}
	e, err := s.e.live(w.Name)
	if err != nil {
		return err
	}
	c.Scope, c.User = e.UniqueID, annotate.UserOf(w.UserID, e.Name.Owner())
	return st.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error { return st.Ops.SetAnnotation(tx, c) })
}
