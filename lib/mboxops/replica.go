package mboxops

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// What follows is for who brings mailboxes over from another server: replication,
// and users that are moved. The other server has decided who may do what, so no
// rights and no parents are looked at, and what it says of a mailbox is stored as
// it is: ids, UIDVALIDITY and modseqs too. Nothing here raises a modseq of its
// own, which would make this server differ from the other.

// ReplicaParams are what the other server says of a mailbox.
type ReplicaParams struct {
	UniqueID      string
	Partition     string
	Type          string // its letters, without that of a legacy directory; "" is mail
	ACL           string
	UIDValidity   uint32
	CreatedModSeq uint64
	FolderModSeq  uint64
	Options       indexfile.Options
}

// CreateReplica makes an empty mailbox with exactly these properties. Of an
// intermediate one, a tombstone or a reservation of the name it takes the place.
// The errors are ErrExists and ErrPartition.
func (o *Ops) CreateReplica(ctx context.Context, n mboxname.Name, p ReplicaParams) (*mboxlist.Entry, error) {
	if err := checkReplica(n, p); err != nil {
		return nil, err
	}
	if !o.Partitions.Has(p.Partition) {
		return nil, fmt.Errorf("%s: %w", p.Partition, ErrPartition)
	}
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return nil, err
	}
	defer unlock()
	old, err := o.present(n)
	if err != nil {
		return nil, err
	}
	remote := old != nil && o.arriving && old.Foreign() // of one that leaves the files are here still
	if old != nil && !old.Is(mboxlist.FlagIntermediate) && !remote {
		return nil, fmt.Errorf("%s: %w", n, ErrExists)
	}
	e := p.entry(n)
	if o.arriving {
		e.Type = mboxlist.With(e.Type, mboxlist.FlagRemote)
	}
	if remote {
		e.Server = old.Server
	}
	if o.Mailboxes.Options().LegacyDirs {
		e.Type = mboxlist.With(e.Type, mboxlist.FlagLegacy)
	}
	if n.IsInbox() && !e.Is(mboxlist.FlagLegacy) {
		// What was kept when the user moved away from here: see Leave.
		user := n.Owner()
		if err := o.moveSeen(user, "", e.UniqueID); err != nil {
			return nil, err
		}
	}
	root, _, err := o.Quota.Find(n)
	if err != nil {
		return nil, err
	}
	opts := mailbox.CreateOptions{Exact: true, QuotaRoot: string(root), Options: p.Options, Replace: true}
	err = o.following(ctx, e, func() error { return o.putReplica(ctx, e, root, opts) }, n)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// putReplica makes a mailbox: files, then the record.
func (o *Ops) putReplica(ctx context.Context, e *mboxlist.Entry, root mboxname.Name, opts mailbox.CreateOptions) error {
	done, err := o.Mailboxes.Begin(e, root)
	if err != nil {
		return err
	}
	if err := o.Mailboxes.Create(ctx, e, opts); err != nil {
		done()
		return err
	}
	if err := o.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return err
	}
	o.tell(e)
	done()
	return nil
}

// checkReplica refuses what no other server can have: names and ids that would
// lead out of the directories they stand for.
func checkReplica(n mboxname.Name, p ReplicaParams) error {
	if err := checkName(n); err != nil {
		return err
	}
	return checkID(p.UniqueID)
}

// checkName is Name.Check that looks at deleted names and domains too, for nobody
// here has checked them when they were new.
func checkName(n mboxname.Name) error {
	if strings.ContainsAny(string(n), "/\x00\r\n") {
		return fmt.Errorf("%.70q: %w", n, mboxname.ErrBad)
	}
	return n.Check()
}

// minID and maxID bound the length of unique ids. Cyrus's have 16, 24 or 36 octets;
// a shorter one than two has no directory.
const (
	minID = 2
	maxID = 64
)

// checkID says whether a unique id can be a directory.
func checkID(id string) error {
	bad := len(id) < minID || len(id) > maxID || id[0] == '.' || id[1] == '.'
	for i := range len(id) {
		bad = bad || id[i] <= ' ' || id[i] >= 0x7f || id[i] == '/'
	}
	if bad {
		return fmt.Errorf("unique id %.70q: %w", id, mboxname.ErrBad)
	}
	return nil
}

func (p *ReplicaParams) entry(n mboxname.Name) *mboxlist.Entry {
	e := &mboxlist.Entry{
		Name: n, UniqueID: p.UniqueID, Partition: p.Partition, Type: p.Type, ACL: p.ACL,
		UIDValidity: p.UIDValidity, CreatedModSeq: p.CreatedModSeq, FolderModSeq: p.FolderModSeq,
	}
	if e.Type == "" {
		e.Type = "e"
	}
	return e
}

// RenameReplica gives this one mailbox another name, another partition, or both;
// those below it stay. A UIDVALIDITY that is not 0 becomes the mailbox's. That
// the mailbox is there and so already is no error: a peer that did not get the
// answer asks again. The errors are ErrNotFound, ErrExists and ErrPartition.
func (o *Ops) RenameReplica(ctx context.Context, from, to mboxname.Name, partition string, uidvalidity uint32) error {
	if err := checkName(to); err != nil {
		return err
	}
	if !o.Partitions.Has(partition) {
		return fmt.Errorf("%s: %w", partition, ErrPartition)
	}
	ctx, unlock, err := o.lock(ctx, from, to)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := o.ours(from)
	if err != nil {
		return err
	}
	if e.Is(mboxlist.FlagIntermediate) {
		partition = e.Partition
	}
	if from != to || partition != e.Partition {
		// Both before and after the move, or the mailbox would get a new one.
		if e.FolderModSeq, err = o.renamedModSeq(ctx, e, to); err != nil {
			return err
		}
		move := func() error { return o.moveAt(ctx, e, to, partition, e.FolderModSeq) }
		if err := o.following(ctx, e, move, to, from); err != nil {
			return err
		}
		log.Info("Rename: %s -> %s", from, to)
	}
	if uidvalidity == 0 || uidvalidity == e.UIDValidity || e.Is(mboxlist.FlagIntermediate) {
		return nil
	}
	return o.setUIDValidity(ctx, e, uidvalidity)
}

// renamedModSeq is the modseq of a mailbox that got another name: as in Cyrus that
// of its content, and no new one.
func (o *Ops) renamedModSeq(ctx context.Context, e *mboxlist.Entry, to mboxname.Name) (uint64, error) {
	modseq := e.FolderModSeq
	if to == e.Name || e.Is(mboxlist.FlagIntermediate) {
		return modseq, nil
	}
	err := o.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		modseq = max(modseq, v.Header().HighestModSeq)
		return nil
	})
	return modseq, err
}

// setUIDValidity changes the index and then the record.
func (o *Ops) setUIDValidity(ctx context.Context, e *mboxlist.Entry, v uint32) error {
	done, err := o.Mailboxes.Begin(e)
	if err != nil {
		return err
	}
	err = o.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
		tx.Header().UIDValidity = v
		return nil
	})
	if err != nil {
		done()
		return err
	}
	e.UIDValidity = v
	if err := o.SetReplica(ctx, e); err != nil {
		return err
	}
	done()
	return o.Mailboxes.RaiseCounters(e, 0, v)
}

// PutIntermediate stores the record of a mailbox that is there for its children
// alone on the other server, or, when typ has the letter, the tombstone of one. A
// mailbox with messages that has the name is not lost: where it is another one, by
// its unique id, it goes where deleted mailboxes are kept for a while; where it is
// the same, the other server has deleted it.
func (o *Ops) PutIntermediate(ctx context.Context, n mboxname.Name, p ReplicaParams) error {
	if err := checkReplica(n, p); err != nil {
		return err
	}
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	old, err := o.present(n)
	if err != nil {
		return err
	}
	e := p.entry(n)
	e.Partition, e.ACL, e.UIDValidity = "", "", 0
	if old != nil && !old.Is(mboxlist.FlagIntermediate) {
		if err := o.GiveWay(ctx, old, p.UniqueID); err != nil {
			return err
		}
	}
	if old != nil && old.UniqueID == e.UniqueID && old.Type == e.Type && old.FolderModSeq == e.FolderModSeq && old.CreatedModSeq == e.CreatedModSeq {
		return nil
	}
	done, err := o.Mailboxes.Begin(e)
	if err != nil {
		return err
	}
	if err := o.SetReplica(ctx, e); err != nil {
		return err
	}
	done()
	return o.Mailboxes.RaiseCounters(e, p.FolderModSeq, 0)
}

// GiveWay removes e from its name, which a mailbox of the given id is to have: for
// good when it has never had a message or is that very mailbox, else to where
// deleted mailboxes are kept for a while. The caller holds the owner's lock.
func (o *Ops) GiveWay(ctx context.Context, e *mboxlist.Entry, id string) error {
	if e.UniqueID == id || e.Is(mboxlist.FlagRemote) || e.Name.IsDeleted() {
		return o.destroyReplica(ctx, e)
	}
	empty := false
	err := o.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		empty = v.Header().LastUID == 0
		return nil
	})
	if err != nil {
		return err
	}
	if empty {
		return o.destroyReplica(ctx, e)
	}
	to, err := o.deletedName(e.Name)
	if err != nil {
		return err
	}
	log.Notice("SYNCNOTICE: mailbox gives way to another mailbox=<%s> kept=<%s>", e.Name, to)
	from := e.Name
	return o.following(ctx, e, func() error { return o.moveAt(ctx, e, to, e.Partition, e.FolderModSeq) }, to, from)
}

// deletedName is a free name in the tree of deleted mailboxes.
func (o *Ops) deletedName(n mboxname.Name) (mboxname.Name, error) {
	for stamp := uint32(time.Now().Unix()); ; stamp++ {
		to := n.Deleted(stamp)
		e, err := o.present(to)
		if err != nil || e == nil {
			return to, err
		}
	}
}
