// Package mboxops makes, removes and renames mailboxes, and changes what
// belongs to them as a whole: access rights, quota roots, subscriptions,
// special use.
//
// Every such change touches more than one store, in an order that leaves
// something usable whenever the process dies: the files of a new mailbox come
// before its record in mailboxes.db and the record goes before the files of one
// that is removed. The owner's lock is held over all of it, so two operations
// on one user's mailboxes never cross.
//
// The package decides who may do what, from the rights the caller computes,
// and knows no protocol: it yields errors, not replies.
package mboxops

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/change"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/partlist"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/subs"
)

var (
	// ErrPermission is the error of a change that the caller may not make to
	// a mailbox that the caller may know of.
	ErrPermission = errors.New("permission denied")
	// ErrNotFound is mboxlist's: also for a mailbox that the caller must not
	// know of.
	ErrNotFound = mboxlist.ErrNotFound
	// ErrExists is the error of a name that is taken.
	ErrExists = errors.New("mailbox already exists")
	// ErrPartition is the error of a partition that the site does not have.
	ErrPartition = partlist.ErrNone
	// ErrUnsupported is the error of what cannot be done to this mailbox, such
	// as deleting one's INBOX.
	ErrUnsupported = errors.New("operation is not supported on mailbox")
	// ErrHasChildren is the error of deleting a mailbox that has others below.
	ErrHasChildren = errors.New("mailbox has inferior hierarchical names")
	// ErrUseConflict is the error of a special use that another mailbox of the
	// user has, that cannot be put here, or that is protected.
	ErrUseConflict = errors.New("special-use flag conflict")
	// ErrBadUse is the error of a special use that does not exist.
	ErrBadUse = errors.New("invalid annotation entry")
	// ErrBadIdent is the error of an identifier that no ACL can hold.
	ErrBadIdent = acl.ErrIdentifier
	// ErrMoving is the error of a mailbox that is on its way to another server.
	ErrMoving = errors.New("mailbox has been moved to another server")
	// ErrCrossMove is the error of a rename that also changes the partition.
	ErrCrossMove = errors.New("cross-server or cross-partition move w/rename not supported")
)

// Who asks for an operation.
type Who struct {
	UserID string // canonical; empty is nobody
	Admin  bool
	Proxy  bool
	// Rights are what the caller has on a mailbox of that name and access list:
	// the list's, the implicit ones of owners and of administrators.
	Rights func(n mboxname.Name, list string) acl.Rights
}

// Root is an administrator who is granted every right: a program run on the
// server itself.
func Root(name string) *Who {
	return &Who{UserID: name, Admin: true, Rights: func(mboxname.Name, string) acl.Rights { return acl.Full }}
}

// owns reports whether n is in the caller's own tree.
func (w *Who) owns(n mboxname.Name) bool {
	return w.UserID != "" && n.IsUserTree() && n.Owner() == w.UserID
}

// Stores are what the operations work on.
type Stores struct {
	List        *mboxlist.List
	Mailboxes   *mailbox.Store
	Quota       *quota.DB
	Subs        *subs.Store
	Seen        *seen.Store
	Annotations *annotate.DB
	Partitions  *partlist.List
	Layout      *mboxname.Layout
	Journal     change.Journal // hears of what is renamed and removed; may be nil
	Murder      *Murder        // nil unless the server is a backend of one
}

// Ops does the operations. Its methods may be called from many goroutines.
type Ops struct {
	Stores
	opt   Options
	sinks []change.Sink
	// arriving: mailboxes that are made as another server says are not for clients yet,
	// see mboxlist.Entry.Incoming.
	arriving bool
	master   *Murder // that knows who has them meanwhile
}

// New is the operations on stores; the sinks hear of each mailbox that is
// made, renamed, removed or altered as a whole.
func New(o Options, s Stores, sinks ...change.Sink) *Ops {
	return &Ops{Stores: s, opt: o, sinks: sinks}
}

// tell is called after a change of e is durable, before its note ends: who finds the
// note of a killed process tells of the mailbox.
func (o *Ops) tell(e *mboxlist.Entry) {
	for _, s := range o.sinks {
		s.Committed(&change.Commit{Name: e.Name, UniqueID: e.UniqueID, UIDValidity: e.UIDValidity, Header: true})
	}
}

// live looks up a mailbox that is there: not a tombstone, not reserved. Of one that is
// on its way to another server the error is ErrMoving.
func (o *Ops) live(n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := o.present(n)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, fmt.Errorf("%s: %w", n, ErrNotFound)
	case e.Is(mboxlist.FlagMoving):
		return nil, fmt.Errorf("%s: %w", n, ErrMoving)
	}
	return e, nil
}

// present is live for who takes what is on its way for what it was; nil is nothing.
func (o *Ops) present(n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := o.List.Lookup(n)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case e.Deleted() || e.Is(mboxlist.FlagReserved):
		return nil, nil
	}
	return e, nil
}

// seenBy is live for a caller who is told nothing of what may not be looked up. One that
// has moved since the caller looked, and which the list of a unified murder still has, is
// as one on its way.
func (o *Ops) seenBy(who *Who, n mboxname.Name) (*mboxlist.Entry, acl.Rights, error) {
	e, err := o.live(n)
	if err == nil && o.Murder != nil && e.Is(mboxlist.FlagRemote) {
		err = fmt.Errorf("%s: %w", n, ErrMoving)
	}
	if err != nil {
		return nil, 0, err
	}
	rights := who.Rights(n, e.ACL)
	if rights&acl.Lookup == 0 && !who.Admin && !who.owns(n) {
		return nil, 0, fmt.Errorf("%s: no lookup: %w", n, ErrNotFound)
	}
	return e, rights, nil
}

// parent is the nearest mailbox above n that is there, nil when there is none.
func (o *Ops) parent(n mboxname.Name) (*mboxlist.Entry, error) {
	for {
		up, ok := n.Parent()
		if !ok {
			return nil, nil
		}
		e, err := o.live(up)
		if err == nil && !e.Is(mboxlist.FlagIntermediate) {
			return e, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		n = up
	}
}

// tree returns the live mailboxes below n, in the order of the list.
func (o *Ops) tree(n mboxname.Name) ([]*mboxlist.Entry, error) {
	var all []*mboxlist.Entry
	err := o.List.ScanTree(n, func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagDeleted) || v.Name() == n {
			return nil
		}
		e, err := v.Entry()
		all = append(all, e)
		return err
	})
	return all, err
}

// lock takes the locks of the owners of two names, in order of the userids. See lockUser.
func (o *Ops) lock(ctx context.Context, a, b mboxname.Name) (context.Context, func(), error) {
	before, err := o.residents(a, b)
	if err == nil {
		err = o.stays(a, b)
	}
	if err != nil {
		return ctx, nil, err
	}
	held, unlock, err := o.lockBoth(ctx, a.Owner(), b.Owner())
	if err != nil {
		return ctx, nil, err
	}
	if err := o.stayed(before); err != nil {
		unlock()
		return ctx, nil, err
	}
	return held, unlock, nil
}

func (o *Ops) lockBoth(ctx context.Context, a, b string) (context.Context, func(), error) {
	first, second := min(a, b), max(a, b)
	held, unlock, err := o.Mailboxes.LockUser(ctx, first)
	if err != nil || first == second {
		return held, unlock, err
	}
	held, unlock2, err := o.Mailboxes.LockUser(held, second)
	if err != nil {
		unlock()
		return ctx, nil, err
	}
	return held, func() { unlock2(); unlock() }, nil
}

// InboxID is the unique id of a user's INBOX, empty when there is none or it
// has the legacy layout: where the user's files are.
func (o *Ops) InboxID(userid string) string {
	e, err := o.present(mboxname.Inbox(userid))
	if err != nil || e == nil || e.Is(mboxlist.FlagLegacy) {
		return ""
	}
	return e.UniqueID
}

// logged notes the failure of something that is not worth failing for.
func logged(what string, n mboxname.Name, err error) {
	if err != nil {
		log.Err("IOERROR: %s %s: %v", what, n, err)
	}
}
