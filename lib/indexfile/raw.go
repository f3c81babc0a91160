package indexfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Raw is a record where it lies. It is valid as long as the octets are, and
// checks no CRC unless asked. The zero Raw is not to be read.
type Raw struct {
	b []byte
	l *layout
}

// RawOf is the record at the start of b. The error is ErrVersion or ErrFormat.
func RawOf(b []byte, version uint32) (Raw, error) {
	l := layoutOf(version)
	if l == nil {
		return Raw{}, fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	if len(b) < l.record {
		return Raw{}, fmt.Errorf("record of %d octets: %w", len(b), ErrFormat)
	}
	return Raw{b[:l.record:l.record], l}, nil
}

func (r Raw) word(off int) uint32 { return binary.BigEndian.Uint32(r.b[off:]) }

func (r Raw) long(off int) uint64 {
	if off < 0 {
		return 0
	}
	return binary.BigEndian.Uint64(r.b[off:])
}

// Bytes is the record's octets.
func (r Raw) Bytes() []byte { return r.b }

// Version is the version of the index.
func (r Raw) Version() uint32 { return r.l.version }

func (r Raw) UID() uint32          { return binary.BigEndian.Uint32(r.b) }
func (r Raw) InternalDate() uint32 { return r.word(4) }
func (r Raw) SentDate() uint32     { return r.word(8) }
func (r Raw) Size() uint32         { return r.word(12) }
func (r Raw) HeaderSize() uint32   { return r.word(16) }
func (r Raw) LastUpdated() uint32  { return r.word(28) }
func (r Raw) CacheVersion() uint16 { return uint16(r.word(56)) }

// GMTime is Date: in UTC; before version 12, which does not have it, the
// internal date.
func (r Raw) GMTime() uint32 {
	if !r.l.haveGMTime {
		return r.InternalDate()
	}
	return r.word(20)
}

// CacheOffset is where the cache record begins; 0 is none.
func (r Raw) CacheOffset() uint64 {
	return uint64(r.word(56)>>16)<<32 | uint64(r.word(24))
}

// Flags are the system and internal flags.
func (r Raw) Flags() Flags {
	f := Flags(r.word(32))
	if !r.l.internal {
		f &= System
	}
	return f
}

// UserFlags are the user flags.
func (r Raw) UserFlags() UserFlags {
	return UserFlags{r.word(36), r.word(40), r.word(44), r.word(48)}
}

// HasUserFlag says whether a slot is set.
func (r Raw) HasUserFlag(slot int) bool {
	return uint(slot) < MaxUserFlags && r.word(36+slot/32*4)&(1<<(slot%32)) != 0
}

// SaveDate is when the message came into this mailbox, 0 before version 15.
func (r Raw) SaveDate() uint32 {
	if !r.l.savedate {
		return 0
	}
	return r.word(52)
}

// GUID is the SHA-1 of the file, zero before version 10.
func (r Raw) GUID() (g GUID) {
	if r.l.guid >= 0 {
		copy(g[:], r.b[r.l.guid:])
	}
	return g
}

func (r Raw) ModSeq() uint64        { return r.long(r.l.modseq) }
func (r Raw) CID() uint64           { return r.long(r.l.cid) }
func (r Raw) CreatedModSeq() uint64 { return r.long(r.l.created) }

// CacheCRC is the CRC of the cache record, 0 before version 12.
func (r Raw) CacheCRC() uint32 {
	if r.l.cacheCRC < 0 {
		return 0
	}
	return r.word(r.l.cacheCRC)
}

// Live says whether IMAP shows the message.
func (r Raw) Live() bool { return r.UID() != 0 && r.Flags()&Expunged == 0 }

// Check is ErrChecksum when the record's CRC does not fit.
func (r Raw) Check() error {
	n := len(r.b) - 4
	if r.l.crc && r.word(n) != crc32.ChecksumIEEE(r.b[:n]) {
		return fmt.Errorf("record of uid %d: %w", r.UID(), ErrChecksum)
	}
	return nil
}

// Record reads all fields. The error is ErrChecksum, with the fields as read.
func (r Raw) Record(rec *Record) error {
	*rec = Record{
		UID: r.UID(), InternalDate: r.InternalDate(), SentDate: r.SentDate(),
		Size: r.Size(), HeaderSize: r.HeaderSize(), GMTime: r.GMTime(),
		CacheOffset: r.CacheOffset(), LastUpdated: r.LastUpdated(),
		Flags: r.Flags(), UserFlags: r.UserFlags(), SaveDate: r.SaveDate(),
		CacheVersion: r.CacheVersion(), GUID: r.GUID(), ModSeq: r.ModSeq(),
		CID: r.CID(), CreatedModSeq: r.CreatedModSeq(), CacheCRC: r.CacheCRC(),
	}
	return r.Check()
}
