package mailbox

import (
	"encoding/binary"

	"gocyrus/lib/mboxlist"
)

// RaiseCounters makes the counters of the owner of e, those of its type of
// mailbox, at least modseq and uidvalidity, which another server has given out.
// They are never lowered. Without a shared clock there is nothing to raise. The
// caller holds the owner's user lock.
func (s *Store) RaiseCounters(e *mboxlist.Entry, modseq uint64, uidvalidity uint32) error {
	if !s.opt.Conversations {
		return nil
	}
	c := newClock(s, e)
	items, _, _ := counterOf(c.kind)
	return c.raise(func(b []byte) {
		raise(b, countersHighest, modseq)
		raise(b, items, modseq)
		if v := b[countersUIDV:]; uidvalidity > binary.BigEndian.Uint32(v) {
			binary.BigEndian.PutUint32(v, uidvalidity)
		}
	})
}

// RACLModSeq is the modseq of the last change of what others let an owner see,
// which Cyrus counts where there is a shared clock; else it is 0.
func (s *Store) RACLModSeq(owner string) (uint64, error) {
	if !s.opt.Conversations {
		return 0, nil
	}
	c, err := s.Counters(owner)
	return c.Grant, err
}

// RaiseRACLModSeq makes RACLModSeq at least n. The caller holds the owner's user
// lock.
func (s *Store) RaiseRACLModSeq(owner string, n uint64) error {
	if !s.opt.Conversations {
		return nil
	}
	c := &clock{path: s.countersPath(owner)}
	return c.raise(func(b []byte) {
		raise(b, countersHighest, n)
		raise(b, countersGrant, n)
	})
}

// raise is replace when that changes something.
func (c *clock) raise(fn func(b []byte)) error {
	b, err := readCounters(c.path)
	if err != nil {
		return err
	}
	was := string(b)
	if fn(b); string(b) == was {
		return nil
	}
	return c.replace(fn)
}
