package index

import (
	"context"
	"errors"
	"slices"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// Op is what a Store does with the flags it names.
type Op int

const (
	Replace Op = iota
	Add
	Remove
)

// Store is a change of flags.
type Store struct {
	Op       Op
	System   indexfile.Flags // of indexfile.System
	Keywords []string
	Silent   bool // the client wants no echo

	// Messages changed after UnchangedSince are left alone, if Conditional
	// (RFC 7162 section 3.1.3).
	Conditional    bool
	UnchangedSince uint64
}

// allow cuts st down to what rights permit. Adding and removing does what it
// can and fails only when nothing is left (RFC 4314 section 4); replacing needs
// the right to every flag it names.
func (st *Store) allow(r acl.Rights) error {
	denied := indexfile.System &^ Settable(r)
	keywords := st.Keywords
	if r&acl.Write == 0 {
		keywords = nil
	}
	refused := st.System&denied != 0 || len(keywords) < len(st.Keywords)
	st.System &^= denied
	st.Keywords = keywords
	if refused && (st.Op == Replace || st.System == 0 && len(st.Keywords) == 0) {
		return ErrRights
	}
	return nil
}

// Store changes the flags of messages, in one transaction, and returns the
// numbers of those that UnchangedSince kept from it. Messages that others have
// expunged are passed over. What the client must be told of it comes with the
// next Refresh.
func (s *State) Store(ctx context.Context, set Numbers, st Store) (failed Numbers, err error) {
	return s.store(ctx, set, st, nil)
}

// StoreRefresh is Store and then Refresh with hold, under one lock. If there is
// something to tell, show is called while the records can be read; it may run in
// another goroutine. A mailbox that goes away once the change is made is for the next
// Refresh to tell: the change is done.
func (s *State) StoreRefresh(ctx context.Context, set Numbers, st Store, hold bool, show func(r *Reader, c *Changes)) (
	failed Numbers, c *Changes, err error,
) {
	c = new(Changes)
	look := func(v *mailbox.View) error {
		if err := s.refresh(v, hold, c); err != nil || c.Empty() {
			return err
		}
		r := s.reader(v)
		defer r.close()
		show(r, c)
		return nil
	}
	looked, lookErr := false, error(nil)
	failed, err = s.store(ctx, set, st, func(v *mailbox.View) {
		// To claim \Recent is a change of its own.
		if looked = !s.mustClaim(v.Header()); looked {
			lookErr = look(v)
		}
	})
	if err == nil && !looked {
		if lookErr = s.look(ctx, look); errors.Is(lookErr, mailbox.ErrNotFound) {
			lookErr = nil
		}
	}
	return failed, c, errors.Join(err, lookErr)
}

// store is Store, with what to do under the lock when it is done.
func (s *State) store(ctx context.Context, set Numbers, st Store, then func(v *mailbox.View)) (failed Numbers, err error) {
	if s.readOnly {
		return nil, ErrReadOnly
	}
	if err := st.allow(s.who.Rights); err != nil || len(set) == 0 {
		return nil, err
	}
	silent := map[uint32]uint64{}
	err = s.mbox.UpdateThen(ctx, func(tx *mailbox.Tx) error {
		w := writer{State: s, tx: tx, r: s.reader(&tx.View), st: &st, silent: silent}
		if err := w.prepare(); err != nil {
			return err
		}
		for seq := range set.All {
			if err := w.message(seq); err != nil {
				return err
			}
		}
		failed = Numbers(w.failed)
		return w.finish()
	}, func(v *mailbox.View) {
		s.silent = silent
		if then != nil {
			then(v)
		}
	})
	if err != nil {
		return nil, err
	}
	return failed, nil
}

// writer is one Store at work.
type writer struct {
	*State
	tx     *mailbox.Tx
	r      *Reader
	st     *Store
	mask   indexfile.UserFlags // the slots of st.Keywords
	seenTx *seenTx             // nil when \Seen is in the records
	rec    indexfile.Record
	failed seqset.Set
	silent map[uint32]uint64
}

func (w *writer) prepare() error {
	for _, k := range w.st.Keywords {
		slot := userFlag(w.tx.UserFlags(), k)
		if slot < 0 && w.st.Op == Remove {
			continue // what nobody has need not be made to be taken away
		}
		if slot < 0 {
			var err error
			if slot, err = w.tx.UserFlag(k); err != nil {
				return err
			}
		}
		w.mask.Set(slot, true)
	}
	var err error
	if !w.inRecord {
		w.seenTx, err = w.beginSeen()
	}
	return err
}

// message changes the flags of one message.
func (w *writer) message(seq int) error {
	recno, ok := w.r.recno(seq)
	if !ok {
		return nil
	}
	raw := w.r.v.Raw(recno)
	if !raw.Live() {
		return nil
	}
	if w.st.Conditional && raw.ModSeq() > w.st.UnchangedSince {
		w.failed.Add(uint32(seq))
		return nil
	}
	if err := raw.Record(&w.rec); err != nil {
		return err
	}
	if !w.apply() {
		// RFC 7162 section 3.1.11: what changes nothing takes no modseq.
		return nil
	}
	if err := w.tx.Rewrite(recno, &w.rec); err != nil {
		return err
	}
	if w.st.Silent {
		w.silent[w.rec.UID] = w.rec.ModSeq
	}
	return nil
}

// apply puts the change into w.rec and says whether it made a difference.
func (w *writer) apply() bool {
	old, oldUser := w.rec.Flags, w.rec.UserFlags
	flags := old & indexfile.System
	if w.seenTx != nil {
		flags &^= indexfile.Seen
		if w.seenTx.contains(w.rec.UID) {
			flags |= indexfile.Seen
		}
	}
	was := flags
	switch w.st.Op {
	case Add:
		flags |= w.st.System
	case Remove:
		flags &^= w.st.System
	case Replace:
		may := Settable(w.who.Rights)
		flags = flags&^may | w.st.System&may
	}
	for i, m := range w.mask {
		switch w.st.Op {
		case Add:
			w.rec.UserFlags[i] |= m
		case Remove:
			w.rec.UserFlags[i] &^= m
		case Replace:
			if w.who.Rights&acl.Write != 0 {
				w.rec.UserFlags[i] = m
			}
		}
	}
	changed := flags != was || w.rec.UserFlags != oldUser
	if w.seenTx != nil {
		w.seenTx.set(w.rec.UID, flags&indexfile.Seen != 0)
		flags = flags&^indexfile.Seen | old&indexfile.Seen
	}
	w.rec.Flags = old&^indexfile.System | flags
	return changed
}

func (w *writer) finish() error {
	if w.seenTx != nil {
		return w.seenTx.commit()
	}
	return nil
}

// userFlag is the slot of a keyword in names, -1 when there is none.
func userFlag(names []string, keyword string) int {
	return slices.IndexFunc(names, func(n string) bool { return n != "" && equalFold(n, keyword) })
}
