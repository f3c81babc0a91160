package index

import (
	"context"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
)

// Expunge removes the messages of set that have \Deleted, or with all set those
// of the whole view, and returns how many. The client hears of it with the next
// Refresh. The error is ErrReadOnly, ErrRights or the mailbox's.
func (s *State) Expunge(ctx context.Context, set Numbers, all bool) (n int, err error) {
	if s.readOnly || s.who.Rights&acl.Expunge == 0 {
		return 0, ErrRights
	}
	if all {
		set = nil
		if n := s.Exists(); n > 0 {
			set = Numbers{{First: 1, Last: uint32(n)}}
		}
	}
	if all {
		return s.expungeMarked(ctx, set)
	}
	return s.expunge(ctx, set, indexfile.Deleted)
}

// expungeMarked removes all messages with \Deleted. Mostly they were marked just
// before, and no walk over the mailbox is needed to find them.
func (s *State) expungeMarked(ctx context.Context, all Numbers) (n int, err error) {
	var known bool
	err = s.View(ctx, func(r *Reader) error {
		var recnos []int
		if recnos, known = r.v.Marked(); !known {
			return nil
		}
		all = all[:0:0]
		for _, recno := range recnos {
			if seq, ok := s.Seq(r.v.Raw(recno).UID()); ok {
				all = append(all, Numbers{{First: uint32(seq), Last: uint32(seq)}}...)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return s.expunge(ctx, all, indexfile.Deleted)
}

// MayRemove is ErrRights unless the user may remove messages, marked or not.
func (s *State) MayRemove() error {
	const need = acl.DeleteMsg | acl.Expunge
	if s.readOnly || s.who.Rights&need != need {
		return ErrRights
	}
	return nil
}

// Remove expunges the messages of set, marked or not: what REPLACE and MOVE leave
// behind.
func (s *State) Remove(ctx context.Context, set Numbers) error {
	if err := s.MayRemove(); err != nil {
		return err
	}
	_, err := s.expunge(ctx, set, 0)
	return err
}

// expunge removes the live messages of set that have all flags of need.
func (s *State) expunge(ctx context.Context, set Numbers, need indexfile.Flags) (n int, err error) {
	if len(set) == 0 {
		return 0, nil
	}
	idle := false
	err = s.View(ctx, func(r *Reader) error {
		idle = need&indexfile.Deleted != 0 && r.Header().Deleted == 0
		return nil
	})
	if err != nil || idle {
		return 0, err
	}
	err = s.mbox.Update(ctx, func(tx *mailbox.Tx) error {
		r := s.reader(&tx.View)
		n = 0
		for seq := range set.All {
			recno, ok := r.recno(seq)
			if !ok {
				continue
			}
			raw := r.v.Raw(recno)
			if f := raw.Flags(); !raw.Live() || f&need != need {
				continue
			}
			if err := tx.Expunge(recno); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}
