package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// The counters file (Cyrus's imap/mboxname.c): a generation, a version, 35
// modseqs and a UIDVALIDITY, with a CRC at the end. Only sites with
// conversations have it; all mailboxes of an owner then share one clock.
const (
	countersVersion = 9
	countersSize    = 296
	countersHighest = 8  // offset of the highest modseq of all
	countersQuota   = 80 // of that of the quota roots
	countersGrant   = 88 // of access given to others
	countersUIDV    = 288
)

// counterOf is where the modseqs of a type of mailbox are: of its messages, of
// the mailboxes, and of messages that a repack dropped.
func counterOf(kind byte) (items, folders, deleted int) {
	switch kind {
	case 'c': // calendar
		return 24, 56, 120
	case 'a': // address book
		return 32, 64, 128
	case 's': // submission
		return 96, 104, 144
	case 'j': // JMAP notifications
		return 224, 240, 232
	case 'b': // DAV
		return 192, 208, 200
	case 'f': // Sieve scripts
		return 256, 272, 264
	default:
		return 16, 48, 112
	}
}

// oldCounters are the sizes of versions 0 to 8, told by length: version 0 has
// garbage in the version word.
var oldCounters = []int{48, 56, 64, 88, 104, 120, 200, 232, 264}

// A clock is an owner's counters inside one batch. The owner's user lock is held
// exclusively, so nobody else counts meanwhile.
type clock struct {
	path    string
	kind    byte // of the mailbox
	loaded  bool
	used    bool
	highest uint64
}

func newClock(s *Store, e *mboxlist.Entry) *clock {
	return &clock{path: s.countersPath(e.Name.Owner()), kind: e.Kind()}
}

// countersPath is where the counters of an owner are; "" is nobody.
func (s *Store) countersPath(owner string) string {
	l := s.opt.Layout
	if owner == "" {
		return filepath.Join(l.ConfigDir, "shared.counters")
	}
	return l.UserFile(owner, "counters", s.inboxID(owner))
}

// inboxID is the unique id of a user's INBOX, "" when that is of the legacy
// layout or there is none: it tells where the user's files are.
func (s *Store) inboxID(userid string) string {
	if s.list == nil {
		return ""
	}
	e, err := s.list.Lookup(mboxname.Inbox(userid))
	if err != nil || e.Deleted() || e.Is(mboxlist.FlagLegacy) {
		return ""
	}
	return e.UniqueID
}

// read reads the file, once a batch. No file, and an empty one, is all zero.
func (c *clock) read() error {
	if c.loaded {
		return nil
	}
	b, err := readCounters(c.path)
	if err != nil {
		return err
	}
	c.highest = binary.BigEndian.Uint64(b[countersHighest:])
	c.loaded = true
	return nil
}

// readCounters is the file of a name as of version 9.
func readCounters(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if b, err = parseCounters(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// parseCounters reads a file of any version as version 9.
func parseCounters(b []byte) ([]byte, error) {
	c := make([]byte, countersSize)
	if len(b) == 0 {
		return c, nil
	}
	if len(b) != countersSize && !slices.Contains(oldCounters, len(b)) {
		return nil, fmt.Errorf("counters of %d octets: %w", len(b), ErrCorrupt)
	}
	end := len(b) - 4
	if binary.BigEndian.Uint32(b[end:]) != crc32.ChecksumIEEE(b[:end]) {
		return nil, fmt.Errorf("counters: checksum: %w", ErrCorrupt)
	}
	if len(b) == countersSize {
		copy(c, b)
		return c, nil
	}
	// UIDVALIDITY stands before the CRC; new modseqs were added before it.
	copy(c[8:], b[8:end-4])
	copy(c[:4], b[:4])
	copy(c[countersUIDV:], b[end-4:end])
	return c, nil
}

// write makes the counters durable, if a modseq was taken: the highest, and that
// of messages of the mailbox's type.
func (c *clock) write() error {
	if c == nil || !c.used {
		return nil
	}
	return c.replace(func(b []byte) {
		items, _, _ := counterOf(c.kind)
		raise(b, countersHighest, c.highest)
		raise(b, items, c.highest)
	})
}

// dropped notes the modseq of a message that a repack has dropped.
func (c *clock) dropped(modseq uint64) error {
	return c.replace(func(b []byte) {
		_, _, deleted := counterOf(c.kind)
		raise(b, countersHighest, modseq)
		raise(b, deleted, modseq)
	})
}

func raise(b []byte, off int, to uint64) {
	binary.BigEndian.PutUint64(b[off:], max(to, binary.BigEndian.Uint64(b[off:])))
}

// replace changes the file under its lock.
func (c *clock) replace(fn func(b []byte)) error {
	f, err := mappedfile.OpenLocked(context.Background(), c.path, os.O_RDWR|os.O_CREATE, lock.Exclusive)
	if err != nil {
		return err
	}
	defer f.Close()
	old := make([]byte, countersSize+1)
	n, _ := f.ReadAt(old, 0)
	b, err := parseCounters(old[:n])
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	fn(b)
	binary.BigEndian.PutUint32(b, binary.BigEndian.Uint32(b)+1)
	binary.BigEndian.PutUint32(b[4:], countersVersion)
	binary.BigEndian.PutUint32(b[countersSize-4:], crc32.ChecksumIEEE(b[:countersSize-4]))
	return replaceFile(c.path, b)
}

// NextUIDValidity is the UIDVALIDITY of a new mailbox of an owner, another one for each
// of his mailboxes, and above after, which is the time or what a mailbox of the name had. The
// caller holds the owner's user lock.
func (s *Store) NextUIDValidity(owner string, after uint32) (uint32, error) {
	if !s.opt.Conversations {
		return s.nextByLock(owner, after)
	}
	c := &clock{path: s.countersPath(owner)}
	var v uint32
	err := c.replace(func(b []byte) {
		v = max(binary.BigEndian.Uint32(b[countersUIDV:]), after) + 1
		binary.BigEndian.PutUint32(b[countersUIDV:], v)
	})
	return v, err
}

// nextByLock is NextUIDValidity without a shared clock. Two mailboxes of the same second
// must differ, for each may be renamed to what the other was; Cyrus gives them the same.
// What was given last stands in the owner's lock file, where it need not outlive a crash of
// the machine: the time goes on.
func (s *Store) nextByLock(owner string, after uint32) (v uint32, err error) {
	f, err := os.OpenFile(s.userLock(owner), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var last [4]byte
	v = after
	if n, _ := f.ReadAt(last[:], 0); n == len(last) {
		// One from far ahead was written by another clock, or is none.
		if was := binary.BigEndian.Uint32(last[:]); was > after && was-after < farAhead {
			v = was
		}
	}
	v++
	binary.BigEndian.PutUint32(last[:], v)
	_, err = f.WriteAt(last[:], 0)
	return v, err
}

// farAhead is more than mailboxes are made in the seconds they take.
const farAhead = 1 << 20

// NextFolderModSeq is the modseq of a change of a mailbox itself: created,
// renamed, deleted, another ACL. Without a shared clock it is after plus one.
// The caller holds the owner's user lock.
func (s *Store) NextFolderModSeq(e *mboxlist.Entry, after uint64) (uint64, error) {
	if !s.opt.Conversations {
		return after + 1, nil
	}
	c := newClock(s, e)
	var next uint64
	err := c.replace(func(b []byte) {
		next = max(after, binary.BigEndian.Uint64(b[countersHighest:])) + 1
		raise(b, countersHighest, next)
		_, folders, _ := counterOf(c.kind)
		raise(b, folders, next)
	})
	return next, err
}

// nextQuotaModSeq is the modseq of a change of a user's quota root, where his
// mailboxes share a clock.
func (s *Store) nextQuotaModSeq(root mboxname.Name, after uint64) (uint64, error) {
	c := &clock{path: s.countersPath(root.Owner())}
	var next uint64
	err := c.replace(func(b []byte) {
		next = max(after, binary.BigEndian.Uint64(b[countersHighest:])) + 1
		raise(b, countersHighest, next)
		raise(b, countersQuota, next)
	})
	return next, err
}
