package index

import (
	"context"
	"slices"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// Changes are what a client is to be told, in this order: Gone, then the new
// numbers, then keywords, then flags.
type Changes struct {
	Gone     []Gone // expunged, in ascending order
	Exists   bool   // there are new messages: State.Exists, State.Recent
	Keywords bool   // State.Keywords has changed
	Flags    []int  // numbers of messages whose flags changed, ascending
	Silent   []int  // those that this session changed and wants no echo of
}

// Gone is one expunged message: its number when those before it have been
// told, and its UID.
type Gone struct {
	Seq int
	UID uint32
}

// Empty says whether there is nothing to tell.
func (c *Changes) Empty() bool {
	return len(c.Gone) == 0 && !c.Keywords && !c.Exists && len(c.Flags)+len(c.Silent) == 0
}

// Refresh brings the view up to date and says what the client must be told.
// With hold no number changes: expunged messages stay until a Refresh without
// it (RFC 3501 section 7.4.1: none during FETCH, STORE and SEARCH). The error is
// mailbox.ErrNotFound when the mailbox is gone.
func (s *State) Refresh(ctx context.Context, hold bool) (*Changes, error) {
	c := new(Changes)
	if h, ok := s.mbox.Known(); ok && !s.mustClaim(&h) && s.upToDate(&h) {
		return c, nil
	}
	err := s.look(ctx, func(v *mailbox.View) error {
		return s.refresh(v, hold, c)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// look calls fn on the mailbox, having claimed the \Recent of new messages for
// this session: the first that looks has them, and no other.
func (s *State) look(ctx context.Context, fn func(v *mailbox.View) error) error {
	claim := false
	err := s.mbox.View(ctx, func(v *mailbox.View) error {
		if claim = s.mustClaim(v.Header()); claim {
			return nil
		}
		return fn(v)
	})
	if err != nil || !claim {
		return err
	}
	var from, to uint32
	err = s.mbox.Update(ctx, func(tx *mailbox.Tx) error {
		h := tx.Header()
		from, to = h.RecentUID, h.LastUID
		if from < to {
			h.RecentUID = to
			h.RecentTime = uint32(time.Now().Unix())
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.claim(from, to)
	return s.mbox.View(ctx, fn)
}

func (s *State) mustClaim(h *indexfile.Header) bool {
	return s.who.inRecord(h) && !s.readOnly && h.RecentUID < h.LastUID
}

// claim makes the messages above UID from, up to to, recent in this session.
func (s *State) claim(from, to uint32) {
	if from < to {
		s.recent = setOf(append(s.recent, seqset.Range{First: from + 1, Last: to}))
	}
}

// upToDate says that the client knows all that h counts.
func (s *State) upToDate(h *indexfile.Header) bool {
	return h.HighestModSeq == s.told && s.held == 0 && h.LastUID == s.last && s.base.Generation() == h.Generation
}

func (s *State) refresh(v *mailbox.View, hold bool, c *Changes) error {
	h := v.Header()
	if s.upToDate(h) {
		return nil
	}
	if keys := v.UserFlags(); !slices.Equal(keys, s.keys) {
		s.keys = keys
		c.Keywords = true
	}
	if s.readOnly && s.inRecord {
		s.claim(max(s.last, h.RecentUID), h.LastUID)
	}
	if err := s.loadSeen(h); err != nil {
		return err
	}
	fresh := s.adopt(v.Index(), hold, c)
	c.Exists = fresh > 0
	if err := s.changed(v, c); err != nil {
		return err
	}
	s.last, s.told, s.silent = max(s.last, h.LastUID), h.HighestModSeq, nil
	return nil
}

// adopt takes cur for the view's numbers or, to keep numbers while messages are
// missing from cur, only its new messages. It returns how many are new.
func (s *State) adopt(cur *mailbox.UIDIndex, hold bool, c *Changes) int {
	first, _ := cur.Seq(s.last + 1)
	fresh := cur.Len() + 1 - first
	gone := s.Exists() + fresh - cur.Len()
	if gone > 0 && hold {
		s.tail = append(s.tail, cur.UIDs()[first-1:]...)
		s.held = gone
		return fresh
	}
	if gone > 0 {
		c.Gone = s.gone(cur, gone)
	}
	s.base, s.tail, s.held = cur, nil, 0
	return fresh
}

// gone finds the n messages of the view that cur does not have.
func (s *State) gone(cur *mailbox.UIDIndex, n int) []Gone {
	out := make([]Gone, 0, n)
	for seq, at := 1, 1; len(out) < n && seq <= s.Exists(); seq++ {
		step := s.agree(cur, seq, at)
		seq, at = seq+step, at+step
		if seq <= s.Exists() {
			out = append(out, Gone{at, s.UID(seq)})
		}
	}
	return out
}

// agree is how many messages from number seq of the view on are the same as
// those of cur from number at on. Once they differ they differ to the end,
// for both ascend and cur lacks some: the place is searched in growing steps.
func (s *State) agree(cur *mailbox.UIDIndex, seq, at int) int {
	limit := min(s.Exists()-seq, cur.Len()-at) + 1
	same := func(i int) bool { return s.UID(seq+i) == cur.UID(at+i) }
	lo, hi := 0, 1 // the first lo are the same
	for hi <= limit && same(hi-1) {
		lo, hi = hi, 2*hi
	}
	hi = min(hi, limit+1) // the first hi are not, or there are not so many
	for lo+1 < hi {
		if mid := (lo + hi) / 2; same(mid - 1) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// changed finds the messages known before whose record changed since the client
// was told.
func (s *State) changed(v *mailbox.View, c *Changes) error {
	err := v.ChangedSince(s.told, func(recno int) error {
		raw := v.Raw(recno)
		uid := raw.UID()
		if uid > s.last || !raw.Live() {
			return nil
		}
		seq, ok := s.Seq(uid)
		if !ok {
			return nil
		}
		if modseq, ok := s.silent[uid]; ok && modseq == raw.ModSeq() {
			c.Silent = append(c.Silent, seq)
		} else {
			c.Flags = append(c.Flags, seq)
		}
		return nil
	})
	slices.Sort(c.Flags)
	slices.Sort(c.Silent)
	return err
}

// Drop empties a view whose mailbox is gone, and returns what the client is to be
// told of it.
func (s *State) Drop() []Gone {
	out := make([]Gone, s.Exists())
	for i := range out {
		out[i] = Gone{1, s.UID(i + 1)}
	}
	s.base, s.tail, s.held, s.recent = new(mailbox.UIDIndex), nil, 0, nil
	return out
}
