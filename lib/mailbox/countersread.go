package mailbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Counters are the modseqs of an owner's mailboxes that clients may ask for: the
// highest of all, and those of messages and of mailboxes by type.
type Counters struct {
	Version      uint32
	Highest      uint64
	Items        [4]uint64 // mail, calendars, address books, notes
	Folders      [4]uint64
	Quota, Grant uint64 // Grant: access given to others
	UIDValidity  uint32
}

// Counters are those of an owner, all zero when nothing counts them: only sites
// with conversations do.
func (s *Store) Counters(owner string) (Counters, error) {
	path := s.countersPath(owner)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(b) == 0 {
		return Counters{}, nil
	}
	if err == nil {
		b, err = parseCounters(b)
	}
	if err != nil {
		return Counters{}, fmt.Errorf("%s: %w", path, err)
	}
	at := func(off int) uint64 { return binary.BigEndian.Uint64(b[off:]) }
	return Counters{
		Version: countersVersion, Highest: at(countersHighest),
		Items: [4]uint64{at(16), at(24), at(32), at(40)}, Folders: [4]uint64{at(48), at(56), at(64), at(72)},
		Quota: at(80), Grant: at(88), UIDValidity: binary.BigEndian.Uint32(b[countersUIDV:]),
	}, nil
}
