// Package indexfile turns the octets of cyrus.index into headers and records,
// and back, for every version of the file.
//
// A file is a header of StartOffset octets, then NumRecords records of
// RecordSize octets, all big endian. A file longer than that is fine, a shorter
// one is broken; the number of records in the header decides. Versions 6 to 10
// and 12 to 19 are read (11 never existed), 12 to 19 are written. Version 20,
// of the development branch, gives ErrVersion.
//
//	version  header  record
//	6        76      60
//	7        76      72
//	8        92      80
//	9        96      80
//	10       96      88
//	12       128     96    CRCs from here on
//	13       128     104
//	14 15    160     104
//	16 - 19  160     112
//
// The tables are in docs/format/cyrus.index.md. [Raw] reads single fields where
// they lie, without building a [Record]: lists of a hundred thousand messages
// are walked that way, straight in the mapped file.
//
// The package opens no file and knows no mailbox.
package indexfile

import "errors"

// Errors of reading a file.
var (
	// ErrVersion is a version that cannot be read, or not be written.
	ErrVersion = errors.New("index version not supported")
	// ErrFormat is a header that contradicts its own version, or a file that
	// is too short for it.
	ErrFormat = errors.New("index has an invalid format")
	// ErrChecksum is a header or record whose CRC does not fit.
	ErrChecksum = errors.New("index checksum mismatch")
)

// Versions that can be written; a new mailbox takes one of them.
const (
	MinWrite = 12
	MaxWrite = 19
	minRead  = 6
)

// MaxHeader is the size of the longest header.
const MaxHeader = 160

// maxRecord is the size of the longest record.
const maxRecord = 112
