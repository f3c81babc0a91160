package index

import (
	"fmt"
	"slices"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/seen"
	"gocyrus/lib/seqset"
)

// loadSeen reads what a user who is not the owner has seen, and makes the
// messages that they were not told of recent in this session.
func (s *State) loadSeen(h *indexfile.Header) error {
	if s.inRecord || s.who.Seen == nil {
		return nil
	}
	rec, err := s.readSeen()
	if err != nil {
		return err
	}
	s.claim(max(rec.LastUID, s.last), h.LastUID)
	if s.readOnly || rec.LastUID >= h.LastUID {
		return nil
	}
	rec.LastUID = h.LastUID
	rec.LastRead = uint32(time.Now().Unix())
	return s.who.Seen.Put(s.mbox.UniqueID(), rec)
}

// readSeen reads the user's record, and the set in it into s.seen.
func (s *State) readSeen() (seen.Record, error) {
	rec, err := s.who.Seen.Get(s.mbox.UniqueID())
	if err == nil {
		s.seen, err = seqset.Parse(rec.UIDs)
	}
	if err != nil {
		return rec, fmt.Errorf("seen state of %s: %w", s.who.User, err)
	}
	return rec, nil
}

// seenTx is a change of what the user has seen, inside a mailbox transaction:
// the record is read anew, for another session of the user may have changed it.
type seenTx struct {
	s       *State
	rec     seen.Record
	uids    seqset.Set
	changed bool
}

func (s *State) beginSeen() (*seenTx, error) {
	t := &seenTx{s: s}
	if s.who.Seen == nil {
		return t, nil
	}
	rec, err := s.readSeen()
	if err != nil {
		return nil, err
	}
	t.rec, t.uids = rec, slices.Clone(s.seen)
	return t, nil
}

func (t *seenTx) contains(uid uint32) bool { return t.uids.Contains(uid) }

func (t *seenTx) set(uid uint32, on bool) {
	if t.uids.Contains(uid) == on {
		return
	}
	t.changed = true
	if on {
		t.uids.Add(uid)
	} else {
		t.uids = without(t.uids, uid)
	}
}

// commit writes the record. It comes before the commit of the index, as Cyrus
// has it: a crash between the two leaves the message seen without a new modseq.
func (t *seenTx) commit() error {
	t.s.seen = t.uids
	if !t.changed || t.s.who.Seen == nil {
		return nil
	}
	t.rec.UIDs = t.uids.String()
	t.rec.LastChange = uint32(time.Now().Unix())
	return t.s.who.Seen.Put(t.s.mbox.UniqueID(), t.rec)
}
