package indexfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// GUID is the SHA-1 of a message file.
type GUID = [20]byte

// Record is one message. Times are seconds since 1970, sizes and offsets octets.
// A UID of 0 is a record that was wiped.
type Record struct {
	UID           uint32
	InternalDate  uint32
	SentDate      uint32 // midnight UTC of the day of Date:, as written in its zone
	Size          uint32
	HeaderSize    uint32
	GMTime        uint32 // Date: in UTC
	CacheOffset   uint64 // 48 bits; 0 is no cache record
	LastUpdated   uint32
	Flags         Flags
	UserFlags     UserFlags
	SaveDate      uint32
	CacheVersion  uint16
	GUID          GUID
	ModSeq        uint64
	CID           uint64
	CreatedModSeq uint64
	CacheCRC      uint32
}

// ParseRecord reads the record at the start of b into r. The error is
// ErrVersion, ErrFormat or, with r filled in, ErrChecksum.
func ParseRecord(b []byte, version uint32, r *Record) error {
	l := layoutOf(version)
	if l == nil {
		return fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	if len(b) < l.record {
		return fmt.Errorf("record of %d octets: %w", len(b), ErrFormat)
	}
	return Raw{b[:l.record], l}.Record(r)
}

// AppendTo appends r in the form of a version, with a fresh CRC. Fields that the
// version does not have are lost. The error is ErrVersion.
func (r *Record) AppendTo(b []byte, version uint32) ([]byte, error) {
	l := layoutOf(version)
	if l == nil || !Writable(version) {
		return b, fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	start := len(b)
	var zero [maxRecord]byte
	b = append(b, zero[:l.record]...)
	p, be := b[start:], binary.BigEndian
	be.PutUint32(p[0:], r.UID)
	be.PutUint32(p[4:], r.InternalDate)
	be.PutUint32(p[8:], r.SentDate)
	be.PutUint32(p[12:], r.Size)
	be.PutUint32(p[16:], r.HeaderSize)
	be.PutUint32(p[20:], r.GMTime)
	be.PutUint32(p[24:], uint32(r.CacheOffset))
	be.PutUint32(p[28:], r.LastUpdated)
	be.PutUint32(p[32:], uint32(r.Flags))
	for i, w := range r.UserFlags {
		be.PutUint32(p[36+4*i:], w)
	}
	if l.savedate {
		be.PutUint32(p[52:], r.SaveDate)
	}
	be.PutUint32(p[56:], uint32(r.CacheOffset>>32)<<16|uint32(r.CacheVersion))
	copy(p[l.guid:], r.GUID[:])
	be.PutUint64(p[l.modseq:], r.ModSeq)
	if l.cid >= 0 {
		be.PutUint64(p[l.cid:], r.CID)
	}
	if l.created >= 0 {
		be.PutUint64(p[l.created:], r.CreatedModSeq)
	}
	be.PutUint32(p[l.cacheCRC:], r.CacheCRC)
	be.PutUint32(p[l.record-4:], crc32.ChecksumIEEE(p[:l.record-4]))
	return b, nil
}
