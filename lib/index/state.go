package index

import (
	"context"
	"slices"

	"gocyrus/lib/acl"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// State is one session's view of one mailbox. It is for one goroutine.
type State struct {
	mbox     *mailbox.Mailbox
	who      Who
	readOnly bool

	base *mailbox.UIDIndex // numbers 1 to base.Len()
	tail []uint32          // UIDs of the numbers after that, while expunges are held back
	held int               // how many expunged messages still have their numbers
	last uint32            // the highest UID the client can know
	told uint64            // the client knows every change up to this modseq
	keys []string          // keywords the client knows, by slot; "" is free

	recent   seqset.Set // UIDs that are \Recent in this session
	inRecord bool       // \Seen is in the records: the owner, or everybody with sharedseen
	seen     seqset.Set // else the UIDs this user has seen

	silent map[uint32]uint64 // UID and modseq of changes that the client wants no echo of
}

// Open makes a view of m, which stays the caller's to close. With readOnly
// nothing is changed through it, and no message loses \Recent by it (EXAMINE).
func Open(ctx context.Context, m *mailbox.Mailbox, who Who, readOnly bool) (*State, error) {
	s := &State{mbox: m, who: who, readOnly: readOnly}
	err := s.look(ctx, func(v *mailbox.View) error {
		h := v.Header()
		s.inRecord = who.inRecord(h)
		if readOnly && s.inRecord {
			s.claim(h.RecentUID, h.LastUID)
		}
		if err := s.loadSeen(h); err != nil {
			return err
		}
		s.base = v.Index()
		s.last = h.LastUID
		s.told = h.HighestModSeq
		s.keys = v.UserFlags()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Mailbox is the mailbox looked at.
func (s *State) Mailbox() *mailbox.Mailbox { return s.mbox }

// ReadOnly says whether the view was opened so.
func (s *State) ReadOnly() bool { return s.readOnly }

// Who is the one who looks.
func (s *State) Who() Who { return s.who }

// SetRights takes over what the user may do with the mailbox now.
func (s *State) SetRights(r acl.Rights) { s.who.Rights = r }

// Exists is how many messages the client knows.
func (s *State) Exists() int { return s.base.Len() + len(s.tail) }

// Recent is how many messages are \Recent in this session.
func (s *State) Recent() int {
	n := 0
	for _, r := range s.recent {
		n += s.lower(r.Last) - s.lower(r.First)
		if _, ok := s.Seq(r.Last); ok {
			n++
		}
	}
	return n
}

// SeenInRecord says whether \Seen of this user is in the records.
func (s *State) SeenInRecord() bool { return s.inRecord }

// LastUID is the highest UID that was given when the client was last told.
func (s *State) LastUID() uint32 { return s.last }

// Told is the modseq up to which the client knows all changes.
func (s *State) Told() uint64 { return s.told }

// Keywords are the keywords the client knows, by slot; "" is a free slot. Not
// to be changed.
func (s *State) Keywords() []string { return s.keys }

// UID is the UID of message seq, from 1 to Exists.
func (s *State) UID(seq int) uint32 {
	if n := s.base.Len(); seq > n {
		return s.tail[seq-n-1]
	}
	return s.base.UID(seq)
}

// Seq is the number of the message with a UID; ok is false when the view has
// none.
func (s *State) Seq(uid uint32) (seq int, ok bool) {
	seq = s.lower(uid)
	return seq, seq <= s.Exists() && s.UID(seq) == uid
}

// lower is the number of the first message with at least this UID, Exists()+1
// when there is none.
func (s *State) lower(uid uint32) int {
	n := s.base.Len()
	if len(s.tail) > 0 && uid > 0 && (n == 0 || uid > s.base.UID(n)) {
		i, _ := slices.BinarySearch(s.tail, uid)
		return n + i + 1
	}
	seq, _ := s.base.Seq(uid)
	return seq
}
