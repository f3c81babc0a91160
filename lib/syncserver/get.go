package syncserver

import (
	"context"
	"errors"
	"slices"

	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/syncstate"
)

// getUser is GET USER: all mailboxes of a user, the roots that they come under,
// and, when there is a real one, what GET META gives. A user who is not there has
// none of it, and so has a value that is no user.
func (s *Session) getUser(ctx context.Context, value []byte, a *Answer) error {
	userid, err := csync.ParseText(value)
	if err != nil || checkUser(userid) != nil {
		return nil
	}
	entries, err := s.e.site.Ops.OfUser(userid)
	if err != nil {
		return err
	}
	var roots []mboxname.Name
	exists := false
	for _, e := range entries {
		root, err := s.mailboxItem(ctx, e, a)
		if err != nil {
			return err
		}
		if root != "" && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
		exists = exists || !e.Is(mboxlist.FlagIntermediate)
	}
	for _, r := range roots {
		if err := s.quotaItem(r, a); err != nil {
			return err
		}
	}
	if !exists {
		return nil
	}
	return s.metaItems(ctx, userid, a)
}

// mailboxItem appends the MAILBOX of an entry, and returns its quota root. One that
// is just being made or removed is passed over.
func (s *Session) mailboxItem(ctx context.Context, e *mboxlist.Entry, a *Answer) (mboxname.Name, error) {
	switch {
	case e.Deleted(), e.Is(mboxlist.FlagReserved), e.Is(mboxlist.FlagRemote) && !e.Incoming(), e.Kind() == sievedir.Kind && !s.sieveMailbox():
		return "", nil
	case e.Is(mboxlist.FlagIntermediate):
		m := syncstate.Intermediate(e)
		m.NoCRCAnnot = true
		return "", a.item("MAILBOX", func(dst []byte) []byte { return m.Append(dst, csync.FromServer) })
	}
	var m *csync.Mailbox
	err := s.e.view(ctx, e, func(v *mailbox.View) (err error) {
		m, err = s.e.state.Mailbox(v, e)
		return err
	})
	if errors.Is(err, mailbox.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return mboxname.Name(m.QuotaRoot), a.item("MAILBOX", func(dst []byte) []byte { return m.Append(dst, csync.FromServer) })
}

// view looks at the mailbox of an entry.
func (e *Engine) view(ctx context.Context, entry *mboxlist.Entry, fn func(v *mailbox.View) error) error {
	return e.site.Mailboxes.View(ctx, entry, func(v *mailbox.View) error {
		if err := supported(v); err != nil {
			return err
		}
		return fn(v)
	})
}

// minVersion is the first version of an index that has GUIDs.
const minVersion = 10

func supported(v *mailbox.View) error {
	if v.Header().Version < minVersion {
		return csync.ErrNotSupported
	}
	return nil
}

// getMailboxes is GET MAILBOXES: those of the names that are there.
func (s *Session) getMailboxes(ctx context.Context, value []byte, a *Answer) error {
	return s.getEach(ctx, value, a, func(name string) (*mboxlist.Entry, error) {
		return s.e.site.List.Lookup(mboxname.Name(name))
	})
}

// getUniqueIDs is GET UNIQUEIDS: the same by unique id.
func (s *Session) getUniqueIDs(ctx context.Context, value []byte, a *Answer) error {
	return s.getEach(ctx, value, a, s.e.site.List.LookupID)
}

func (s *Session) getEach(ctx context.Context, value []byte, a *Answer, lookup func(string) (*mboxlist.Entry, error)) error {
	list, err := csync.ParseList(value)
	if err != nil {
		return err
	}
	for _, what := range list {
		e, err := lookup(what)
		if err == nil {
			_, err = s.mailboxItem(ctx, e, a)
		}
		if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
			return err
		}
	}
	return nil
}

// getFullMailbox is GET FULLMAILBOX: a mailbox with all its records.
func (s *Session) getFullMailbox(ctx context.Context, value []byte, a *Answer) error {
	name, err := csync.ParseText(value)
	if err != nil {
		return csync.ErrNonexistent // as Cyrus 3.12; older ones die of it
	}
	e, err := s.e.live(mboxname.Name(name))
	if err != nil {
		return err
	}
	return s.e.view(ctx, e, func(v *mailbox.View) error {
		m, err := s.e.state.Mailbox(v, e)
		if err != nil {
			return err
		}
		a.mem = m.AppendOpen(append(a.mem, "* MAILBOX "...), csync.FromServer)
		first := true
		err = s.e.state.Records(v, 0, func(_ int, r *csync.Record) error {
			if r.GUID.IsZero() {
				return csync.ErrNotSupported
			}
			if !first {
				a.mem = append(a.mem, ' ')
			}
			first = false
			a.mem = r.Append(a.mem, csync.FromServer)
			return a.grown()
		})
		a.mem = append(csync.AppendClose(a.mem), "\r\n"...)
		return err
	})
}

// live is the entry of a mailbox that has messages, or could.
func (e *Engine) live(n mboxname.Name) (*mboxlist.Entry, error) {
	entry, err := e.site.List.Lookup(n)
	if err != nil {
		return nil, err
	}
	if !isLive(entry) {
		return nil, csync.ErrNonexistent
	}
	return entry, nil
}

func isLive(e *mboxlist.Entry) bool {
	return !e.Deleted() && !e.Is(mboxlist.FlagIntermediate) && !e.Is(mboxlist.FlagReserved) &&
		(!e.Is(mboxlist.FlagRemote) || e.Incoming())
}

// getMeta is GET META: what a user has seen of others' mailboxes, subscriptions,
// and the scripts unless they travel as a mailbox.
func (s *Session) getMeta(ctx context.Context, value []byte, a *Answer) error {
	userid, err := csync.ParseText(value)
	if err != nil {
		return err
	}
	if err := checkUser(userid); err != nil {
		return err
	}
	return s.metaItems(ctx, userid, a)
}

// getQuota is GET QUOTA: nothing for a root that is not there.
func (s *Session) getQuota(_ context.Context, value []byte, a *Answer) error {
	root, err := csync.ParseText(value)
	if err != nil {
		return err
	}
	return s.quotaItem(mboxname.Name(root), a)
}

func (s *Session) quotaItem(root mboxname.Name, a *Answer) error {
	q, err := s.e.site.Quota.Get(root)
	if errors.Is(err, quota.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	w := syncstate.Quota(q)
	return a.item("QUOTA", func(dst []byte) []byte { return w.Append(dst, csync.FromServer) })
}

// getFetch is GET FETCH: the file of a message, or NIL when it is another than was
// asked for.
func (s *Session) getFetch(ctx context.Context, value []byte, a *Answer) error {
	f, err := csync.ParseFetch(value)
	if err != nil {
		return err
	}
	e, err := s.e.holder(f)
	if err != nil {
		return err
	}
	m, err := s.e.site.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	msg, err := openMessage(mailbox.As(ctx, e), m, f.UID)
	if err != nil {
		return err
	}
	if !sameGUID(msg, f.GUID) {
		msg.Close()
		return a.item("MESSAGE", func(dst []byte) []byte { return append(dst, "NIL"...) })
	}
	head := csync.FileLiteral{Partition: f.Partition, GUID: f.GUID, Size: uint32(len(msg.Bytes()))}
	a.mem = head.AppendHead(append(a.mem, "* MESSAGE "...), csync.FromServer)
	a.msg = msg
	return nil
}

// holder is the entry of the mailbox that a FETCH means: the id says more than the
// name, for it may have been renamed meanwhile.
func (e *Engine) holder(f *csync.Fetch) (*mboxlist.Entry, error) {
	entry, err := e.site.List.LookupID(f.UniqueID)
	if errors.Is(err, mboxlist.ErrNotFound) || err == nil && !isLive(entry) {
		return nil, csync.ErrNonexistent
	}
	return entry, err
}

// openMessage opens the file of a message, expunged or not.
func openMessage(ctx context.Context, m *mailbox.Mailbox, uid uint32) (*mailbox.Message, error) {
	archived := false
	err := m.View(ctx, func(v *mailbox.View) error {
		recno, ok := v.Find(uid)
		if !ok {
			return csync.ErrNonexistent
		}
		archived = v.Raw(recno).Flags()&indexfile.Archived != 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	msg, err := m.OpenFile(uid, archived)
	if errors.Is(err, mailbox.ErrGone) {
		err = csync.ErrNonexistent
	}
	return msg, err
}
