package sasldb

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/leveldb"
)

// Open opens the store at path, a directory of LevelDB's. With kv.Create it is
// made when it is not there. The errors are kv.ErrNotFound, ErrBerkeley, and
// those of the files.
func Open(path string, flags kv.Flags) (*Store, error) {
	if isBerkeley(path) {
		return nil, fmt.Errorf("%s: %w", path, ErrBerkeley)
	}
	db, err := leveldb.Open(path, flags)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := New(db)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Berkeley DB's hash and btree files have one of these numbers at octet 12, in
// the byte order of the machine that made them.
const (
	magicHash  = 0x061561
	magicBtree = 0x053162
)

func isBerkeley(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [16]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(head[12:]); m == magicHash || m == magicBtree {
			return true
		}
	}
	return false
}
