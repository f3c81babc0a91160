package twoskip

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"gocyrus/lib/cyrusdb/kv"
)

// Magic begins a twoskip file.
const Magic = "\xa1\x02\x8b\x0dtwoskip file\x00\x00\x00\x00"

const (
	headerSize  = 64
	version     = 1
	flagDirty   = 1
	dummyOffset = headerSize
	maxLevel    = 31
	// emptySize is header and dummy.
	emptySize = headerSize + 8 + 8*(maxLevel+1) + 8
)

// header is the first 64 octets, all big endian.
type header struct {
	generation uint64 // counts checkpoints
	records    uint64
	repackSize uint64 // of the file after the last checkpoint
	size       uint64 // end of committed data
	flags      uint32
}

func parseHeader(b []byte) (h header, err error) {
	if len(b) < headerSize || string(b[:20]) != Magic {
		return h, kv.ErrFormat
	}
	if v := binary.BigEndian.Uint32(b[20:]); v > version {
		return h, fmt.Errorf("%w: version %d", kv.ErrFormat, v)
	}
	if crc32.ChecksumIEEE(b[:60]) != binary.BigEndian.Uint32(b[60:]) {
		return h, fmt.Errorf("%w: header checksum", kv.ErrCorrupt)
	}
	h = header{
		generation: binary.BigEndian.Uint64(b[24:]),
		records:    binary.BigEndian.Uint64(b[32:]),
		repackSize: binary.BigEndian.Uint64(b[40:]),
		size:       binary.BigEndian.Uint64(b[48:]),
		flags:      binary.BigEndian.Uint32(b[56:]),
	}
	if h.size < emptySize || h.size > 1<<62 {
		return h, fmt.Errorf("%w: size %d", kv.ErrCorrupt, h.size)
	}
	return h, nil
}

func (h *header) bytes() []byte {
	b := make([]byte, headerSize)
	copy(b, Magic)
	binary.BigEndian.PutUint32(b[20:], version)
	binary.BigEndian.PutUint64(b[24:], h.generation)
	binary.BigEndian.PutUint64(b[32:], h.records)
	binary.BigEndian.PutUint64(b[40:], h.repackSize)
	binary.BigEndian.PutUint64(b[48:], h.size)
	binary.BigEndian.PutUint32(b[56:], h.flags)
	binary.BigEndian.PutUint32(b[60:], crc32.ChecksumIEEE(b[:60]))
	return b
}
