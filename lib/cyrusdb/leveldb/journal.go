package leveldb

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"

	"github.com/syndtr/goleveldb/leveldb"
)

// A journal is 32 KiB blocks of chunks; a record is one full chunk, or a
// first, middle ones and a last. A chunk is a masked CRC-32C of type and
// payload (4 octets), the length of the payload (2), the type (1), payload;
// what is left of a block and too short for that is padding. Little endian.
// (LevelDB, doc/log_format.md)
const (
	blockSize = 32 << 10
	chunkHead = 7

	fullChunk   = 1
	firstChunk  = 2
	middleChunk = 3
	lastChunk   = 4

	// maxTail bounds what one refresh takes from a journal; beyond it a new
	// handle is cheaper. The write buffer keeps journals well below.
	maxTail = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTail says that a journal cannot be followed from where it was left.
var errTail = errors.New("journal cannot be followed")

// readTail returns the records that follow offset off, the end of a record,
// and the offset after the last whole one. A record that is not all there yet
// is left for the next time.
func readTail(f *os.File, off int64) (records [][]byte, end int64, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, off, err
	}
	if st.Size() < off || st.Size()-off > maxTail {
		return nil, off, errTail
	}
	buf := make([]byte, st.Size()-off)
	n, err := f.ReadAt(buf, off)
	if err != nil && err != io.EOF {
		return nil, off, err
	}
	records, used := splitRecords(buf[:n], off)
	return records, off + used, nil
}

// splitRecords cuts buf, which begins at offset off of a journal, into records.
// used is where the last whole one ends.
func splitRecords(buf []byte, off int64) (records [][]byte, used int64) {
	var part []byte // of a record in several chunks
	for i := int64(0); ; {
		if left := blockSize - (off+i)%blockSize; left < chunkHead {
			i += left
		}
		if i+chunkHead > int64(len(buf)) {
			return records, used
		}
		sum, size, typ := binary.LittleEndian.Uint32(buf[i:]), int64(binary.LittleEndian.Uint16(buf[i+4:])), buf[i+6]
		next := i + chunkHead + size
		if next > int64(len(buf)) || (off+i)%blockSize+chunkHead+size > blockSize || masked(buf[i+6:next]) != sum {
			return records, used
		}
		payload := buf[i+chunkHead : next]
		switch typ {
		case fullChunk:
			records, used, part = append(records, payload), next, nil
		case firstChunk:
			part = append([]byte(nil), payload...)
		case middleChunk:
			part = append(part, payload...)
		case lastChunk:
			records, used, part = append(records, append(part, payload...)), next, nil
		default:
			return records, used
		}
		i = next
	}
}

func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// batchHead is the sequence number (8 octets) and count (4) before a batch.
const batchHead = 12

// replay gives what a journal record holds to w.
func replay(record []byte, w leveldb.BatchReplay) error {
	if len(record) < batchHead {
		return errTail
	}
	var b leveldb.Batch
	if err := b.Load(record[batchHead:]); err != nil {
		return err
	}
	return b.Replay(w)
}
