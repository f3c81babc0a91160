package indexfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Header is the header of an index of any version. Fields that the version does
// not have hold the value that stands for them. Times are seconds since 1970,
// sizes octets.
type Header struct {
	Generation  uint32 // counts repacks; the first word of cyrus.cache too
	Format      uint32 // see FormatDirty
	Version     uint32
	StartOffset uint32
	RecordSize  uint32

	NumRecords     uint32 // in the file, live or not
	LastAppendDate uint32
	LastUID        uint32 // UIDNEXT - 1, never lowered
	QuotaUsed      uint64 // sizes of records without Expunged
	POP3LastLogin  uint32
	UIDValidity    uint32

	Deleted, Answered, Flagged uint32 // counts over records without Expunged
	Exists                     uint32 // records without Expunged
	Unseen                     uint32 // of those, without Seen

	Options     Options
	LeakedCache uint32

	HighestModSeq uint64
	DeletedModSeq uint64 // highest of a record that a repack dropped
	CreatedModSeq uint64
	ChangesEpoch  uint32 // since when the history of expunges is complete

	FirstExpunged uint32 // smallest LastUpdated of an expunged record, or 0
	LastRepack    uint32
	HeaderFileCRC uint32 // of cyrus.header
	SyncCRC       uint32
	SyncCRCAnnot  uint32
	RecentUID     uint32 // highest UID announced as recent to the owner
	RecentTime    uint32
	POP3ShowAfter uint32
	AnnotUsed     uint32 // octets of annotation values

	QuotaDeletedUsed  uint64 // sizes of live records with \Deleted
	QuotaExpungedUsed uint64 // sizes of records with Expunged and without Unlinked
}

// FormatDirty is set in the format word, which is otherwise 0 and which Cyrus
// carries along unread, while records are being changed in place. Whoever finds
// it knows that a writer died half way and counts anew.
const FormatDirty = 1

// Options are properties of a mailbox.
type Options uint32

const (
	OptPOP3NewUIDL Options = 1 << 0 // UIDL is uidvalidity.uid
	OptSharedSeen  Options = 1 << 2
	OptDupDeliver  Options = 1 << 3
	OptAlarms      Options = 1 << 4
	OptFrozen      Options = 1 << 28 // ours: all of the mailbox is on another server, and nobody uses this one
	OptNeedsUnlink Options = 1 << 29 // some record's file is still to be removed
	OptNeedsRepack Options = 1 << 30
	OptDeleted     Options = 1 << 31 // the mailbox is going away
)

// Start values of the sync CRCs.
const (
	SyncCRCStart      = 0
	SyncCRCAnnotStart = 12345678
)

// NewHeader is the header of an empty mailbox.
func NewHeader(version uint32) (*Header, error) {
	l := layoutOf(version)
	if l == nil || !Writable(version) {
		return nil, fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	return &Header{
		Version: version, StartOffset: uint32(l.header), RecordSize: uint32(l.record),
		SyncCRC: SyncCRCStart, SyncCRCAnnot: SyncCRCAnnotStart,
		HighestModSeq: 1, Options: OptPOP3NewUIDL,
	}, nil
}

// ParseHeader reads the header at the start of b. The error is ErrVersion,
// ErrFormat or ErrChecksum; with ErrChecksum the header is returned as it was
// read.
func ParseHeader(b []byte) (*Header, error) {
	h := new(Header)
	if err := h.Parse(b); err != nil {
		return h, err
	}
	return h, nil
}

// Parse is ParseHeader into h.
func (h *Header) Parse(b []byte) error {
	*h = Header{HighestModSeq: 1, DeletedModSeq: 1, SyncCRCAnnot: SyncCRCAnnotStart}
	if len(b) < 24 {
		return fmt.Errorf("header of %d octets: %w", len(b), ErrFormat)
	}
	h.Version = binary.BigEndian.Uint32(b[8:])
	h.StartOffset = binary.BigEndian.Uint32(b[12:])
	h.RecordSize = binary.BigEndian.Uint32(b[16:])
	l := layoutOf(h.Version)
	if l == nil {
		return fmt.Errorf("version %d: %w", h.Version, ErrVersion)
	}
	if int(h.StartOffset) != l.header || int(h.RecordSize) != l.record || len(b) < l.header {
		return fmt.Errorf("version %d with header %d, record %d, %d octets: %w",
			h.Version, h.StartOffset, h.RecordSize, len(b), ErrFormat)
	}
	for i := range fields {
		f := &fields[i]
		if h.Version < f.since {
			continue
		}
		if off := f.at(l); f.word != nil {
			*f.word(h) = binary.BigEndian.Uint32(b[off:])
		} else {
			*f.long(h) = binary.BigEndian.Uint64(b[off:])
		}
	}
	h.complete()
	if l.crc && binary.BigEndian.Uint32(b[l.header-4:]) != crc32.ChecksumIEEE(b[:l.header-4]) {
		return fmt.Errorf("header: %w", ErrChecksum)
	}
	return nil
}

func (f *field) at(l *layout) int {
	if l.header19 {
		return f.off19
	}
	return f.off
}

// complete gives fields that the version does not have the value that stands
// for them.
func (h *Header) complete() {
	if h.HighestModSeq == 0 {
		h.HighestModSeq = 1
	}
	if h.Version < 12 {
		h.Exists = h.NumRecords
		h.DeletedModSeq = h.HighestModSeq
	}
	if h.Version < 8 {
		h.Options &= OptPOP3NewUIDL
	}
	if h.Version < 17 {
		h.ChangesEpoch = h.LastRepack
	}
	if h.Exists == 0 {
		h.Options |= OptPOP3NewUIDL
	}
}

// AppendTo appends h in the form of its version, with a fresh CRC. The error is
// ErrVersion.
func (h *Header) AppendTo(b []byte) ([]byte, error) {
	l := layoutOf(h.Version)
	if l == nil || !Writable(h.Version) {
		return b, fmt.Errorf("version %d: %w", h.Version, ErrVersion)
	}
	start := len(b)
	var zero [MaxHeader]byte
	b = append(b, zero[:l.header]...)
	p := b[start:]
	binary.BigEndian.PutUint32(p[8:], h.Version)
	binary.BigEndian.PutUint32(p[12:], uint32(l.header))
	binary.BigEndian.PutUint32(p[16:], uint32(l.record))
	for i := range fields {
		f := &fields[i]
		if h.Version < f.since {
			continue
		}
		if off := f.at(l); f.word != nil {
			binary.BigEndian.PutUint32(p[off:], *f.word(h))
		} else {
			binary.BigEndian.PutUint64(p[off:], *f.long(h))
		}
	}
	binary.BigEndian.PutUint32(p[l.header-4:], crc32.ChecksumIEEE(p[:l.header-4]))
	return b, nil
}

// Offset is where record recno (from 1) is in the file.
func (h *Header) Offset(recno int) int64 {
	return int64(h.StartOffset) + int64(recno-1)*int64(h.RecordSize)
}

// FileSize is the size that the file has at the least.
func (h *Header) FileSize() int64 { return h.Offset(int(h.NumRecords) + 1) }
