// Package cachefile reads and lays out cyrus.cache: for each message a record
// of ten items that answer most of FETCH and SEARCH without the message file.
// docs/format/cyrus.cache.md describes the file; package message makes the
// records.
//
// Functions take the octets of a record, or of the mapped file, and return
// slices of them: nothing is copied and nothing allocated. Every length is
// checked, so a damaged file is an error, ErrCorrupt, and the caller parses the
// message again.
//
// The package opens no files and knows no index: where a record starts and what
// its CRC should be is in the index record.
package cachefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"gocyrus/lib/message"
)

// Item numbers the items of a record.
type Item int

// The items, in the order of the file.
const (
	Envelope      Item = iota // IMAP text
	BodyStructure             // IMAP text with extension data
	Body                      // IMAP text without
	Section                   // table of parts: see Find
	Headers                   // header fields that CachedSince names, as in the message
	From                      // search form, as To, Cc and Bcc
	To
	Cc
	Bcc
	Subject // decoded, as an IMAP nstring
	NumItems
)

// HeaderSize is the length of the file's header, a generation number. No record
// starts at a lower offset: offset zero means that a message has no record.
const HeaderSize = 4

// Version is the version of the records that package message makes.
const Version = message.CacheVersion

// ErrCorrupt is the error of octets that are no cache record.
var ErrCorrupt = errors.New("cache record corrupt")

// AppendHeader appends the header of a cache file with the generation number of
// its index.
func AppendHeader(b []byte, generation uint32) []byte {
	return binary.BigEndian.AppendUint32(b, generation)
}

// Generation is the number in the header of a cache file.
func Generation(file []byte) (uint32, error) {
	if len(file) < HeaderSize {
		return 0, fmt.Errorf("header: %w", ErrCorrupt)
	}
	return binary.BigEndian.Uint32(file), nil
}

// At is the record at an offset of a mapped cache file, which must have the
// given CRC. The error is ErrCorrupt.
func At(file []byte, offset uint64, crc uint32) ([]byte, error) {
	rec, err := AtUnchecked(file, offset)
	if err != nil {
		return nil, err
	}
	if CRC(rec) != crc {
		return nil, fmt.Errorf("offset %d: crc: %w", offset, ErrCorrupt)
	}
	return rec, nil
}

// AtUnchecked is At for indexes that hold no CRC (version 10 and before), and
// for callers that have checked it before.
func AtUnchecked(file []byte, offset uint64) ([]byte, error) {
	if offset < HeaderSize || offset >= uint64(len(file)) {
		return nil, fmt.Errorf("offset %d of %d: %w", offset, len(file), ErrCorrupt)
	}
	n, err := Length(file[offset:])
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", offset, err)
	}
	return file[offset : offset+uint64(n) : offset+uint64(n)], nil
}

// Length is the number of octets of the record that b starts with.
func Length(b []byte) (int, error) {
	n := 0
	for i := Item(0); i < NumItems; i++ {
		_, next, err := itemAt(b, n)
		if err != nil {
			return 0, err
		}
		n = next
	}
	return n, nil
}

// Get is an item of a record.
func Get(rec []byte, item Item) ([]byte, error) {
	if item < 0 || item >= NumItems {
		return nil, fmt.Errorf("item %d: %w", item, ErrCorrupt)
	}
	n := 0
	for i := Item(0); ; i++ {
		b, next, err := itemAt(rec, n)
		if err != nil || i == item {
			return b, err
		}
		n = next
	}
}

// All splits a record into its items.
func All(rec []byte) (items [NumItems][]byte, err error) {
	n := 0
	for i := range items {
		if items[i], n, err = itemAt(rec, n); err != nil {
			return items, err
		}
	}
	return items, nil
}

// itemAt reads the item at offset n of b, and gives the offset of the next.
func itemAt(b []byte, n int) (item []byte, next int, err error) {
	if len(b)-n < 4 {
		return nil, 0, ErrCorrupt
	}
	size := binary.BigEndian.Uint32(b[n:])
	n += 4
	if uint64(size)+3 > math.MaxInt32 || int(size+3)&^3 > len(b)-n {
		return nil, 0, ErrCorrupt
	}
	return b[n : n+int(size) : n+int(size)], n + int(size+3)&^3, nil
}

// Append appends a record made of items. For records that package message has
// made, append its Cache.
func Append(b []byte, items [NumItems][]byte) []byte {
	for _, item := range items {
		b = binary.BigEndian.AppendUint32(b, uint32(len(item)))
		b = append(b, item...)
		b = append(b, "\x00\x00\x00"[:-len(item)&3]...)
	}
	return b
}

// CRC is the checksum of a record that the index keeps: over all of it, lengths
// and padding too.
func CRC(rec []byte) uint32 { return crc32.ChecksumIEEE(rec) }

// MinVersion says whether records hold the header fields of a name, in any
// case, and from which cache version on. If a message's cache version is lower,
// or the field is not cached, it is read from the message file.
func MinVersion(name string) (version int, cached bool) { return message.CachedSince(name) }
