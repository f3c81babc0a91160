package annotate

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A record is (imap/annotate.c, make_entry and split_attribs; the layout was
// read in real files):
//
//	length of the value, 4 octets big endian; 4 zero octets
//	the value; NUL; content type; NUL
//	8 zero octets, once a time
//	modseq, 8 octets big endian
//	flags, 1 octet
//
// The length is a 64-bit long into which a swapped 32-bit number was stored,
// so only little-endian machines have it in front.
const (
	lengthSize  = 8
	contentType = "text/plain"
	tailSize    = 8 + 8 + 1

	flagDeleted = 1
)

func encode(v Value) []byte {
	b := make([]byte, lengthSize, lengthSize+len(v.Data)+len(contentType)+2+tailSize)
	binary.BigEndian.PutUint32(b, uint32(len(v.Data)))
	b = append(append(b, v.Data...), 0)
	b = append(append(b, contentType...), 0)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, v.ModSeq)
	if v.Deleted {
		return append(b, flagDeleted)
	}
	return append(b, 0)
}

// decode reads a record; Data aliases b.
func decode(b []byte) (Value, error) {
	if len(b) < lengthSize {
		return Value{}, fmt.Errorf("%w: %d octets", ErrFormat, len(b))
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[lengthSize:]
	if n >= uint64(len(b)) {
		return Value{}, fmt.Errorf("%w: length %d of %d", ErrFormat, n, len(b))
	}
	v := Value{Data: b[:n:n]}
	// Writers before modseqs and flags ended sooner.
	_, tail, _ := bytes.Cut(b[n+1:], []byte{0})
	if len(tail) >= 16 {
		v.ModSeq = binary.BigEndian.Uint64(tail[8:])
	}
	if len(tail) >= tailSize {
		v.Deleted = tail[16]&flagDeleted != 0
	}
	return v, nil
}
