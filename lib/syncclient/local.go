package syncclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
	"gocyrus/lib/syncstate"
)

// localBox is a mailbox of this server, as it was when it was looked at.
type localBox struct {
	entry *mboxlist.Entry
	state *csync.Mailbox // its partition is the one it is to have at the replica

	deletedModSeq uint64 // highest that was purged from the index
}

// errVanished is a mailbox that was renamed or removed while it was worked on: what
// became of it is in the log.
var errVanished = errors.New("mailbox is not there any more")

// look reads the state of a mailbox.
func (c *Client) look(ctx context.Context, e *mboxlist.Entry) (*localBox, error) {
	if e.Is(mboxlist.FlagIntermediate) {
		return &localBox{entry: e, state: syncstate.Intermediate(e)}, nil
	}
	l := &localBox{entry: e}
	err := c.view(ctx, e, func(v *mailbox.View) (err error) { return c.read(l, v) })
	return l, err
}

func (c *Client) read(l *localBox, v *mailbox.View) (err error) {
	l.state, err = c.reader.Mailbox(v, settled(l.entry))
	if err == nil {
		// What a master of conversations sent is kept for it, and is no state of
		// this server's own.
		l.state.XConvModSeq = 0
		l.state.Partition = c.opt.target(l.entry.Partition)
		l.deletedModSeq = v.Header().DeletedModSeq
	}
	return err
}

// view opens a mailbox for one View.
func (c *Client) view(ctx context.Context, e *mboxlist.Entry, fn func(*mailbox.View) error) error {
	m, err := c.site.Mailboxes.Open(ctx, e)
	if err == nil {
		err = m.View(ctx, fn)
		m.Close()
	}
	return boxError(e, err)
}

// boxError gives an error of the store its mailbox.
func boxError(e *mboxlist.Entry, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mailbox.ErrNotFound):
		return fmt.Errorf("%s: %w", e.Name, errVanished)
	}
	return fmt.Errorf("%s: %w", e.Name, err)
}

// message is one that the replica may need.
type message struct {
	uid      uint32
	size     uint32
	guid     guid.GUID
	archived bool
}

// newMessages are the messages with a file and a UID above last and up to upTo, expunged
// ones too.
func newMessages(v *mailbox.View, last, upTo uint32) []message {
	if v.Header().LastUID <= last {
		return nil
	}
	var list []message
	recno, _ := v.Find(last + 1)
	for ; recno <= v.NumRecords(); recno++ {
		r := v.Raw(recno)
		if r.UID() > upTo {
			break
		}
		if f := r.Flags(); r.UID() != 0 && f&indexfile.Unlinked == 0 {
			list = append(list, message{r.UID(), r.Size(), r.GUID(), f&indexfile.Archived != 0})
		}
	}
	return list
}

// snapshot is a mailbox, or a part of it, with what changed since a state of the
// replica: all of one moment.
type snapshot struct {
	*localBox
	part
	messages []message
	value    []byte // the argument of APPLY MAILBOX
}

// snapshot takes one: of the records newer than what the replica has, which is nil when
// it has nothing. since is what the replica is to check that it still has.
func (c *Client) snapshot(ctx context.Context, e *mboxlist.Entry, remote *csync.Mailbox, since *csync.Since) (*snapshot, error) {
	s := &snapshot{localBox: &localBox{entry: e}}
	var lastUID uint32
	var modseq uint64
	if remote != nil {
		lastUID, modseq = remote.LastUID, remote.HighestModSeq
	}
	err := c.view(ctx, e, func(v *mailbox.View) error {
		if err := c.read(s.localBox, v); err != nil {
			return err
		}
		recnos, err := syncstate.Changed(v, modseq)
		if err != nil {
			return err
		}
		recnos = slices.DeleteFunc(recnos, func(recno int) bool { return v.Raw(recno).UID() == 0 })
		s.part = planPart(changes(v, recnos), lastUID, modseq, c.opt.BatchSize)
		s.part.apply(s.state)
		s.messages = newMessages(v, lastUID, s.state.LastUID)
		s.state.Since = since
		return s.print(v, recnos)
	})
	return s, err
}

func changes(v *mailbox.View, recnos []int) []change {
	list := make([]change, len(recnos))
	for i, recno := range recnos {
		r := v.Raw(recno)
		list[i] = change{r.UID(), r.ModSeq()}
	}
	return list
}

// print makes the argument of APPLY MAILBOX.
func (s *snapshot) print(v *mailbox.View, recnos []int) error {
	conv := syncstate.NewConverter(v)
	defer conv.Close()
	s.value = s.state.AppendOpen(nil, client)
	begun := false
	for _, recno := range recnos {
		if !s.part.has(v.Raw(recno).UID()) {
			continue
		}
		r, err := conv.Record(recno)
		if err != nil {
			return err
		}
		r.ModSeq = s.part.capped(r.ModSeq)
		if begun {
			s.value = append(s.value, ' ')
		}
		begun = true
		s.value = r.Append(s.value, client)
	}
	s.value = csync.AppendClose(s.value)
	return nil
}

// recount counts a mailbox anew: the replica does not believe its sums.
func (c *Client) recount(ctx context.Context, e *mboxlist.Entry) error {
	return boxError(e, c.site.Mailboxes.Update(ctx, e, (*mailbox.Tx).Recount))
}

// follow takes over the numbers in which the replica has gone further. The log is told
// for the sake of other replicas.
func (c *Client) follow(ctx context.Context, e *mboxlist.Entry, h higher) error {
	if h.UIDValidity != 0 {
		err := c.site.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
			tx.Header().UIDValidity = max(tx.Header().UIDValidity, h.UIDValidity)
			return nil
		})
		if err != nil {
			return boxError(e, err)
		}
	}
	_, unlock, err := c.site.Mailboxes.LockUser(ctx, e.Name.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.site.Mailboxes.RaiseCounters(e, h.FolderModSeq, h.UIDValidity); err != nil {
		return err
	}
	if err := c.site.Mailboxes.RaiseRACLModSeq(e.Name.Owner(), h.RACLModSeq); err != nil {
		return err
	}
	err = c.site.List.Update(func(tx *mboxlist.Tx) error {
		now, err := tx.Lookup(e.Name)
		if err != nil || now.UniqueID != e.UniqueID {
			return fmt.Errorf("%s: %w", e.Name, errVanished)
		}
		now.UIDValidity = max(now.UIDValidity, h.UIDValidity)
		now.FolderModSeq = max(now.FolderModSeq, h.FolderModSeq)
		return tx.Put(now)
	})
	if err == nil {
		c.site.Sync.Write(synclog.Mailbox(e.Name))
	}
	return err
}

// entry is the record of a name that is a mailbox of this server, with files or for
// its children alone; nil when it is neither.
func (c *Client) entry(name mboxname.Name) (*mboxlist.Entry, error) {
	e, err := c.site.List.Lookup(name)
	if errors.Is(err, mboxlist.ErrNotFound) {
		return nil, nil
	}
	if err != nil || !c.isOurs(e) {
		return nil, err
	}
	return e, nil
}

// isOurs says whether an entry is a mailbox that this server holds. One that moves to
// another is whoever's who moves it.
func (c *Client) isOurs(e *mboxlist.Entry) bool {
	if e.Is(mboxlist.FlagMoving) {
		return c.opt.Moving && !e.Deleted()
	}
	return !e.Deleted() && !e.Is(mboxlist.FlagRemote) && !e.Is(mboxlist.FlagReserved)
}

// settled is e as the other server is to know it: that it moves is of no meaning there.
func settled(e *mboxlist.Entry) *mboxlist.Entry {
	if !e.Is(mboxlist.FlagMoving) {
		return e
	}
	there := *e
	there.Type, there.Server = mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote), ""
	return &there
}

// wanted says whether a mailbox is to be brought over.
func (c *Client) wanted(n mboxname.Name) bool { return c.opt.Only == nil || c.opt.Only(n) }

// owned are a user's mailboxes, deleted ones too, in the order of mailboxes.db; not
// those that are there for their children alone.
func (c *Client) owned(userid string) (all []*mboxlist.Entry, err error) {
	add := func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && c.isOurs(e) && !e.Is(mboxlist.FlagIntermediate) && e.Name.Owner() == userid && c.wanted(e.Name) {
			all = append(all, e)
		}
		return err
	}
	if err := c.site.List.ScanUser(userid, add); err != nil {
		return nil, err
	}
	err = c.site.List.ScanTree(deletedTree(userid), add)
	return all, err
}

// deletedTree is the name under which a user's deleted mailboxes are.
func deletedTree(userid string) mboxname.Name {
	inbox := mboxname.Inbox(userid)
	name := mboxname.Name(mboxname.DeletedPrefix + "." + inbox.Local())
	if d := inbox.Domain(); d != "" {
		name = mboxname.Name(d) + "!" + name
	}
	return name
}

// former are the names that a mailbox had.
func (c *Client) former(e *mboxlist.Entry) []mboxname.Name {
	full, err := c.site.List.LookupID(e.UniqueID)
	if err != nil {
		return nil
	}
	var names []mboxname.Name
	for _, f := range full.History {
		if f.Name != e.Name && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}
