package mboxops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// CreateParams are what a CREATE may say beyond the name.
type CreateParams struct {
	Partition   string
	SpecialUse  []string
	UniqueID    string // empty is a new one
	UIDValidity uint32 // 0 is a new one
	Kind        byte   // letter of the type; 0 is mail
}

// Create makes a mailbox, and the ones above it that are missing. Its list is
// its parent's; a user's INBOX is all its owner's, and a shared mailbox at the
// top gets the default. The entry is as it stands in the list.
func (o *Ops) Create(ctx context.Context, who *Who, n mboxname.Name, p CreateParams) (*mboxlist.Entry, error) {
	if (p.Partition != "" || p.UniqueID != "" || p.UIDValidity != 0) && !who.Admin && !who.Proxy {
		return nil, ErrPermission
	}
	if doubleInbox(n) {
		return nil, mboxname.ErrBad
	}
	ctx, unlock, err := o.lockUser(ctx, n)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := o.checkUses(n, p.SpecialUse); err != nil {
		return nil, err
	}
	parent, err := o.mayCreate(who, n)
	if err != nil {
		return nil, err
	}
	if p.Partition, err = o.partition(p.Partition, parent); err != nil {
		return nil, err
	}
	for _, above := range missing(n, parent) {
		e, err := o.make(ctx, above, parent, CreateParams{Partition: p.Partition, Kind: p.Kind})
		if err != nil && !errors.Is(err, ErrExists) {
			return nil, err
		}
		if err == nil {
			parent = e
		}
	}
	e, err := o.make(ctx, n, parent, p)
	if err != nil {
		return nil, err
	}
	if len(p.SpecialUse) > 0 {
		err = o.putUse(ctx, e, n.Owner(), p.SpecialUse)
	}
	return e, err
}

// doubleInbox finds the INBOX/INBOX that some clients try to make.
func doubleInbox(n mboxname.Name) bool {
	if !n.IsUserTree() {
		return false
	}
	f := strings.Split(n.Local(), ".")
	return len(f) > 3 && strings.EqualFold(f[2], "INBOX") && strings.EqualFold(f[3], "INBOX")
}

// mayCreate says whether who may create n, and returns the nearest mailbox
// above it.
func (o *Ops) mayCreate(who *Who, n mboxname.Name) (parent *mboxlist.Entry, err error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	all := who.Admin || who.owns(n) && o.opt.ImplicitAdmin
	if e, err := o.live(n); err == nil && !e.Is(mboxlist.FlagIntermediate) {
		if !all && who.Rights(n, e.ACL)&acl.Lookup == 0 {
			return nil, ErrPermission
		}
		return nil, fmt.Errorf("%s: %w", n, ErrExists)
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if parent, err = o.parent(n); err != nil {
		return nil, err
	}
	switch {
	case parent == nil && (!who.Admin || n.IsUserTree() && !n.IsInbox()):
		return nil, ErrPermission
	case parent == nil:
		return nil, nil
	case !o.arriving && parent.Incoming():
		// The parent is another server's still, and so is what is made below it.
		return nil, fmt.Errorf("%s: %w", parent.Name, ErrMoving)
	case !all && who.Rights(parent.Name, parent.ACL)&acl.Create == 0:
		return nil, ErrPermission
	}
	if (!who.Admin || who.owns(n)) && o.hasUse(parent, o.opt.UseNoChildren) {
		return nil, ErrPermission
	}
	return parent, o.roomFor(n, 1)
}

// roomFor checks the quota of mailboxes.
func (o *Ops) roomFor(n mboxname.Name, boxes int64) error {
	root, ok, err := o.Quota.Find(n)
	if err != nil || !ok {
		return err
	}
	q, err := o.Quota.Get(root)
	if err != nil {
		return err
	}
	return q.Check(quota.Mailbox, boxes)
}

func (o *Ops) partition(want string, parent *mboxlist.Entry) (string, error) {
	switch {
	case want != "":
		if !o.Partitions.Has(want) {
			return "", fmt.Errorf("%s: %w", want, ErrPartition)
		}
		return want, nil
	case parent != nil && parent.Partition != "":
		return parent.Partition, nil
	}
	return o.Partitions.Choose()
}

// missing are the names between parent and n that have no mailbox. The level
// INBOX below a user is none: it is how folders below the INBOX are spelt.
func missing(n mboxname.Name, parent *mboxlist.Entry) []mboxname.Name {
	var names []mboxname.Name
	for up, ok := n.Parent(); ok; up, ok = up.Parent() {
		if parent != nil && up == parent.Name {
			break
		}
		if above, ok := up.Parent(); ok && above.IsInbox() && up == above+".INBOX" {
			continue
		}
		if up.Local() == "user" {
			break
		}
		names = append([]mboxname.Name{up}, names...)
	}
	return names
}

// make creates one mailbox under its parent: files, then the record. In a murder the
// master is asked for the name before, and told of the mailbox after.
func (o *Ops) make(ctx context.Context, n mboxname.Name, parent *mboxlist.Entry, p CreateParams) (_ *mboxlist.Entry, err error) {
	old, err := o.List.Lookup(n)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if old != nil && !old.Deleted() && !old.Is(mboxlist.FlagIntermediate) {
		return nil, fmt.Errorf("%s: %w", n, ErrExists)
	}
	e := &mboxlist.Entry{
		Name: n, UniqueID: p.UniqueID, Partition: p.Partition, UIDValidity: p.UIDValidity,
		Type: o.typeOf(n, p.Kind, parent), ACL: o.newACL(n, parent),
	}
	if old != nil && old.Is(mboxlist.FlagIntermediate) {
		e.UniqueID, e.CreatedModSeq = old.UniqueID, old.CreatedModSeq
	}
	if e.UniqueID == "" {
		e.UniqueID = o.Mailboxes.NewUniqueID()
	}
	if e.UIDValidity == 0 {
		after := uint32(time.Now().Unix())
		if old != nil { // a client must not take the new mailbox for it
			after = max(after, old.UIDValidity)
		}
		if e.UIDValidity, err = o.Mailboxes.NextUIDValidity(n.Owner(), after); err != nil {
			return nil, err
		}
	}
	root, _, err := o.Quota.Find(n)
	if err != nil {
		return nil, err
	}
	claim, err := o.reserve(ctx, n, e.Partition)
	if err != nil {
		return nil, err
	}
	defer func() { claim.end(ctx, err) }()
	done, err := o.Mailboxes.Begin(e, root)
	if err != nil {
		return nil, err
	}
	opts := mailbox.CreateOptions{QuotaRoot: string(root), Replace: true}
	for _, use := range p.SpecialUse {
		if use == `\Snoozed` {
			opts.Options |= indexfile.OptAlarms
		}
	}
	if err := o.Mailboxes.Create(ctx, e, opts); err != nil {
		done()
		return nil, err
	}
	if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return nil, err
	}
	if err := claim.activate(ctx, e); err != nil {
		logged("undoing the creation of", n, o.unmake(ctx, e, old))
		done()
		return nil, err
	}
	o.tell(e)
	done()
	return e, nil
}

// unmake removes a new mailbox that the murder does not have; old is the record that
// its name had before, nil for none.
func (o *Ops) unmake(ctx context.Context, e, old *mboxlist.Entry) error {
	return o.remove(context.WithoutCancel(ctx), e, true, func(e *mboxlist.Entry) error {
		return o.List.Update(func(tx *mboxlist.Tx) error {
			if old != nil {
				return tx.Put(old)
			}
			return tx.Remove(e.Name)
		})
	})
}

// typeOf is the type of a new mailbox: its layout is that of its parent, or of
// new mailboxes when it has none.
func (o *Ops) typeOf(n mboxname.Name, kind byte, parent *mboxlist.Entry) string {
	if kind == 0 {
		kind = 'e'
	}
	t := string(kind)
	legacy := o.Mailboxes.Options().LegacyDirs
	if parent != nil && n.IsUserTree() {
		legacy = parent.Is(mboxlist.FlagLegacy)
	}
	if legacy {
		t = mboxlist.With(t, mboxlist.FlagLegacy)
	}
	return t
}

func (o *Ops) newACL(n mboxname.Name, parent *mboxlist.Entry) string {
	if parent != nil {
		return parent.ACL
	}
	if owner := n.Owner(); owner != "" {
		return owner + "\t" + acl.Full.String() + "\t"
	}
	list := ""
	for f := o.opt.DefaultACL; len(f) >= 2; f = f[2:] {
		rights, _ := acl.ParseDelete(f[1], o.opt.DeleteRight)
		list, _ = acl.Set(list, f[0], acl.Replace, rights)
	}
	return list
}

// putUse stores the special use of a mailbox, private to its owner. The mailbox's
// index and quota root count the octets.
func (o *Ops) putUse(ctx context.Context, e *mboxlist.Entry, userid string, uses []string) error {
	key := annotate.Key{Scope: e.UniqueID, Entry: annotate.SpecialUse, User: annotate.UserOf(userid, e.Name.Owner())}
	var data []byte
	if len(uses) > 0 {
		data = []byte(strings.Join(uses, " "))
	}
	return o.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
		old, _, err := o.Annotations.Get(key)
		if err != nil {
			return err
		}
		h := tx.Header()
		h.AnnotUsed = uint32(max(int64(h.AnnotUsed)+int64(len(data))-int64(len(old.Data)), 0))
		return o.Annotations.Apply(annotate.Change{Key: key, Data: data})
	})
}
