package index

import (
	"context"
	"fmt"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
	"gocyrus/lib/seqset"
)

// Target is where messages are copied to.
type Target struct {
	Mailbox     *mailbox.Mailbox
	Who         Who // the user, with the rights there
	IgnoreQuota bool
	Journal     change.Journal // hears that the messages are those of the source; may be nil
}

// InRecord says whether \Seen of the user is in the records of the mailbox, whose
// header is h, or else in the user's seen database.
func (t *Target) InRecord(h *indexfile.Header) bool { return t.Who.inRecord(h) }

func (w *Who) inRecord(h *indexfile.Header) bool {
	return w.Owner || h.Options&indexfile.OptSharedSeen != 0
}

// MarkSeen adds UIDs to what the user has seen of the mailbox, in the user's seen
// database.
func (t *Target) MarkSeen(uids seqset.Set) error {
	store := t.Who.Seen
	if len(uids) == 0 || store == nil || t.Who.Rights&acl.SetSeen == 0 {
		return nil
	}
	id := t.Mailbox.UniqueID()
	rec, err := store.Get(id)
	if err != nil {
		return err
	}
	set, err := seqset.Parse(rec.UIDs)
	if err != nil {
		return err
	}
	rec.UIDs = setOf(append(set, uids...)).String()
	return store.Put(id, rec)
}

// Copied says what became of copied messages (RFC 4315 section 3): the UIDs of
// From and To correspond in order.
type Copied struct {
	UIDValidity uint32
	From, To    seqset.Set
}

// Copy copies the messages of set, all or none: files by hard link where that
// can be, cache records as they are. Messages that others have expunged
// are passed over. The error is ErrNoMessage, ErrRights, quota.ErrOver or the
// mailbox's.
func (s *State) Copy(ctx context.Context, set Numbers, t Target) (*Copied, error) {
	return s.copy(ctx, set, t, false)
}

// Move copies the messages of set and then expunges them here.
func (s *State) Move(ctx context.Context, set Numbers, t Target) (*Copied, error) {
	if err := s.MayRemove(); err != nil {
		return nil, err
	}
	c, err := s.copy(ctx, set, t, true)
	if err != nil {
		return nil, err
	}
	return c, s.Remove(ctx, s.uidNumbers(c.From))
}

func (s *State) copy(ctx context.Context, set Numbers, t Target, move bool) (*Copied, error) {
	if t.Who.Rights&acl.Insert == 0 {
		return nil, ErrRights
	}
	c := copier{s: s, t: t, move: move, same: t.Mailbox.Owner() != "" && t.Mailbox.Owner() == s.mbox.Owner()}
	if err := s.View(ctx, func(r *Reader) error { return c.gather(r, set) }); err != nil {
		return nil, err
	}
	if len(c.list) == 0 {
		return nil, ErrNoMessage
	}
	defer change.Begin(t.Journal, change.Event{Kind: change.Copied, Name: s.mbox.Name(), To: t.Mailbox.Name()})()
	if err := t.Mailbox.Update(ctx, c.write); err != nil {
		return nil, fmt.Errorf("copy to %s: %w", t.Mailbox.Name(), err)
	}
	return &c.done, c.t.MarkSeen(c.seen)
}

// copier is one Copy at work.
type copier struct {
	s        *State
	t        Target
	move     bool
	same     bool // owner: conversation and creation modseq go along
	inRecord bool // \Seen goes into the target's records
	root     string
	octets   int64
	annots   int64 // octets of annotations
	list     []original
	seen     seqset.Set // UIDs in the target to be marked as seen by the user
	done     Copied
}

type original struct {
	*mailbox.Source
	seen   bool
	annots []mailbox.Annot
}

// gather reads all that is needed of the messages: the source is not locked
// while the target is.
func (c *copier) gather(r *Reader, set Numbers) error {
	c.root = r.v.QuotaRoot()
	for seq := range set.All {
		recno, ok := r.recno(seq)
		if !ok {
			continue
		}
		raw := r.v.Raw(recno)
		if !raw.Live() {
			continue
		}
		src, err := r.v.Source(recno)
		if err != nil {
			return err
		}
		annots, err := r.carried(raw, &c.t)
		if err != nil {
			return err
		}
		for _, a := range annots {
			c.annots += int64(len(a.Data))
		}
		c.list = append(c.list, original{src, r.Flags(raw).System&indexfile.Seen != 0, annots})
		c.octets += int64(raw.Size())
	}
	return nil
}

func (c *copier) write(tx *mailbox.Tx) error {
	h := tx.Header()
	c.done = Copied{UIDValidity: h.UIDValidity}
	c.seen = nil
	c.inRecord = c.t.InRecord(h)
	// What moves within a quota root makes it no fuller.
	if !c.t.IgnoreQuota && !(c.move && tx.QuotaRoot() == c.root) {
		err := tx.CheckQuota(quota.Usage{
			quota.Storage: c.octets, quota.Message: int64(len(c.list)), quota.AnnotationStorage: c.annots,
		})
		if err != nil {
			return err
		}
	}
	for i := range c.list {
		o := &c.list[i]
		a := c.message(o)
		uid, _, err := tx.Append(a)
		if err != nil {
			return err
		}
		if o.seen && !c.inRecord {
			c.seen.Add(uid)
		}
		c.done.From.Add(o.Record.UID)
		c.done.To.Add(uid)
	}
	return nil
}

// message is what is appended for o: with the flags that the user may set in the
// target.
func (c *copier) message(o *original) mailbox.Append {
	a := mailbox.Append{From: o.Source, Annots: o.annots}
	flags := o.Record.Flags & indexfile.System &^ indexfile.Seen
	if o.seen && c.inRecord {
		flags |= indexfile.Seen
	}
	a.Flags = flags & Settable(c.t.Who.Rights)
	if c.t.Who.Rights&acl.Write != 0 {
		a.UserFlags = o.Flags
	}
	if c.same {
		a.CID, a.CreatedModSeq = o.Record.CID, o.Record.CreatedModSeq
	}
	return a
}

// Settable is the system flags that rights let a user set.
func Settable(r acl.Rights) (f indexfile.Flags) {
	if r&acl.SetSeen != 0 {
		f |= indexfile.Seen
	}
	if r&acl.DeleteMsg != 0 {
		f |= indexfile.Deleted
	}
	if r&acl.Write != 0 {
		f |= indexfile.Answered | indexfile.Flagged | indexfile.Draft
	}
	return f
}
