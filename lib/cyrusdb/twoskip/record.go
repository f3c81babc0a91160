package twoskip

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"gocyrus/lib/cyrusdb/kv"
)

// Types of records.
const (
	typeDummy  = '='
	typeAdd    = '+'
	typeDelete = '-'
	typeCommit = '$'
)

// blank fills the rest of a disk block that a record's head shall not straddle.
const blank = " BLANK\x07\xa0"

// record is one record's head, and where its key and value are.
type record struct {
	off   uint64
	kind  byte
	level int
	// next are the pointers: 0 and 1 the two alternating ones of the lowest
	// level, i+1 that of level i.
	next    [maxLevel + 1]uint64
	headLen int // up to the key
	key     []byte
	val     []byte
	tail    uint32 // checksum of key, value and padding
}

// end is the offset after the record.
func (r *record) end() uint64 {
	return r.off + uint64(r.headLen) + padded(len(r.key)+len(r.val))
}

func padded(n int) uint64 { return uint64(n+7) &^ 7 }

// readRecord reads the record at off of b into r.
func readRecord(b []byte, off uint64, r *record) error {
	size := uint64(len(b))
	if off < dummyOffset || off > size || size-off < 24 {
		return fmt.Errorf("%w: record at %d beyond the end", kv.ErrCorrupt, off)
	}
	p := b[off:]
	r.off, r.kind, r.level = off, p[0], int(p[1])
	if r.level > maxLevel {
		return fmt.Errorf("%w: record at %d of level %d", kv.ErrCorrupt, off, r.level)
	}
	klen, vlen := uint64(binary.BigEndian.Uint16(p[2:])), uint64(binary.BigEndian.Uint32(p[4:]))
	at := uint64(8)
	if klen == 0xffff {
		klen = binary.BigEndian.Uint64(p[at:])
		at += 8
	}
	if vlen == 0xffffffff {
		vlen = binary.BigEndian.Uint64(p[at:])
		at += 8
	}
	head := at + 8*uint64(r.level+1) + 8
	if klen > size || vlen > size || uint64(len(p)) < head+padded(int(klen+vlen)) {
		return fmt.Errorf("%w: record at %d beyond the end", kv.ErrCorrupt, off)
	}
	for i := 0; i <= r.level; i++ {
		r.next[i] = binary.BigEndian.Uint64(p[at:])
		at += 8
	}
	if crc32.ChecksumIEEE(p[:at]) != binary.BigEndian.Uint32(p[at:]) {
		return fmt.Errorf("%w: checksum of the record at %d", kv.ErrCorrupt, off)
	}
	r.tail = binary.BigEndian.Uint32(p[at+4:])
	r.headLen = int(head)
	r.key, r.val = p[head:head+klen:head+klen], p[head+klen:head+klen+vlen:head+klen+vlen]
	return nil
}

// checkTail compares key and value with their checksum.
func (r *record) checkTail(b []byte) error {
	start := r.off + uint64(r.headLen)
	if crc32.ChecksumIEEE(b[start:r.end()]) != r.tail {
		return fmt.Errorf("%w: checksum of the contents at %d", kv.ErrCorrupt, r.off)
	}
	return nil
}

// appendHead appends the head, checksums included.
func (r *record) appendHead(b []byte) []byte {
	start := len(b)
	k, v := uint16(0xffff), uint32(0xffffffff)
	if len(r.key) < 0xffff {
		k = uint16(len(r.key))
	}
	if uint64(len(r.val)) < 0xffffffff {
		v = uint32(len(r.val))
	}
	b = append(b, r.kind, byte(r.level))
	b = binary.BigEndian.AppendUint16(b, k)
	b = binary.BigEndian.AppendUint32(b, v)
	if k == 0xffff {
		b = binary.BigEndian.AppendUint64(b, uint64(len(r.key)))
	}
	if v == 0xffffffff {
		b = binary.BigEndian.AppendUint64(b, uint64(len(r.val)))
	}
	for _, n := range r.next[:r.level+1] {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	return binary.BigEndian.AppendUint32(b, r.tail)
}

// appendTail appends key, value and padding, and sets their checksum, which
// the head needs: tail before head.
func (r *record) appendTail(b []byte) []byte {
	start := len(b)
	b = append(append(b, r.key...), r.val...)
	b = append(b, make([]byte, padded(len(r.key)+len(r.val))-uint64(len(r.key)+len(r.val)))...)
	r.tail = crc32.ChecksumIEEE(b[start:])
	return b
}
