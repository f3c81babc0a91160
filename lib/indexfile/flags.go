package indexfile

// Flags is the flags word of a record: the system flags of IMAP in the low half,
// Cyrus's own in the high half.
type Flags uint32

const (
	Answered Flags = 1 << 0
	Flagged  Flags = 1 << 1
	Deleted  Flags = 1 << 2
	Draft    Flags = 1 << 3
	Seen     Flags = 1 << 4 // the owner's, or everybody's with OptSharedSeen

	Snoozed           Flags = 1 << 26
	SplitConversation Flags = 1 << 27
	NeedsCleanup      Flags = 1 << 28 // a file is left over
	Archived          Flags = 1 << 29 // the file is on the archive partition
	Unlinked          Flags = 1 << 30 // the file is gone or to be removed
	Expunged          Flags = 1 << 31 // invisible, kept for delayed expunge
)

// System are the flags that IMAP shows.
const System = Answered | Flagged | Deleted | Draft | Seen

// systemNames are in the order of the bits.
var systemNames = [...]string{`\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `\Seen`}

// MaxUserFlags is the number of slots for user flags; clients may define flags
// in the first MaxClientFlags only.
const (
	MaxUserFlags   = 128
	MaxClientFlags = 100
)

// Names appends the system flags of f, in the order of their bits.
func (f Flags) Names(dst []string) []string {
	for i, n := range systemNames {
		if f&(1<<i) != 0 {
			dst = append(dst, n)
		}
	}
	return dst
}

// UserFlags are 128 bits, one a slot.
type UserFlags [4]uint32

// Has says whether a slot is set; a slot out of range is not.
func (u *UserFlags) Has(slot int) bool {
	return uint(slot) < MaxUserFlags && u[slot/32]&(1<<(slot%32)) != 0
}

// Set sets or clears a slot; a slot out of range is ignored.
func (u *UserFlags) Set(slot int, on bool) {
	if uint(slot) >= MaxUserFlags {
		return
	}
	if bit := uint32(1) << (slot % 32); on {
		u[slot/32] |= bit
	} else {
		u[slot/32] &^= bit
	}
}
