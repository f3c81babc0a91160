package leveldb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// readStorage is the storage of one opening for reading.
//
// QUIRK: goleveldb cannot open read-only what has two journals, as there are
// while a full one is being flushed and after a writer died in that: it takes
// the end of the first for an error of the second (db.recoverJournalRO). So it
// is shown one journal, which is all of them that the manifest asks for in turn.
type readStorage struct {
	fileStorage
	oldest, previous int64 // journals that the manifest, as it was read, asks for
	later            []storage.FileDesc
}

func (s *readStorage) Open(fd storage.FileDesc) (storage.Reader, error) {
	switch fd.Type {
	case storage.TypeManifest:
		b, err := s.contents(fd)
		if err != nil {
			return nil, err
		}
		if s.oldest, s.previous, err = manifestJournals(b); err != nil {
			return nil, err
		}
		return memoryReader{bytes.NewReader(b)}, nil
	case storage.TypeJournal:
		return s.openJournals(fd)
	}
	return s.fileStorage.Open(fd)
}

func (s *readStorage) contents(fd storage.FileDesc) ([]byte, error) {
	f, err := s.fileStorage.Open(fd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// List shows of the journals that are needed the first alone.
func (s *readStorage) List(ft storage.FileType) ([]storage.FileDesc, error) {
	fds, err := s.fileStorage.List(ft)
	if ft != storage.TypeJournal || err != nil {
		return fds, err
	}
	fds = slices.DeleteFunc(fds, func(fd storage.FileDesc) bool {
		return fd.Num < s.oldest && fd.Num != s.previous
	})
	slices.SortFunc(fds, func(a, b storage.FileDesc) int { return int(a.Num - b.Num) })
	if len(fds) > 1 {
		s.later = fds[1:]
		fds = fds[:1]
	}
	return fds, nil
}

// openJournals joins the journals. Each begins a block; the zeros that fill
// the last block of the one before are skipped by the reader.
func (s *readStorage) openJournals(first storage.FileDesc) (storage.Reader, error) {
	all, err := s.contents(first)
	if err != nil {
		return nil, err
	}
	for _, fd := range s.later {
		b, err := s.contents(fd)
		if err != nil {
			return nil, err
		}
		if fill := len(all) % blockSize; fill != 0 {
			all = append(all, make([]byte, blockSize-fill)...)
		}
		all = append(all, b...)
	}
	return memoryReader{bytes.NewReader(all)}, nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

// Tags of a manifest's records (LevelDB, db/version_edit.cc).
const (
	tagComparer     = 1
	tagJournal      = 2
	tagNextFile     = 3
	tagSequence     = 4
	tagCompactPoint = 5
	tagDeleted      = 6
	tagAdded        = 7
	tagPrevJournal  = 9
)

// fields of a record by tag: "n" a number, "b" octets with their length.
var manifestFields = map[uint64]string{
	tagComparer: "b", tagJournal: "n", tagNextFile: "n", tagSequence: "n",
	tagCompactPoint: "nb", tagDeleted: "nn", tagAdded: "nnnbb", tagPrevJournal: "n",
}

// manifestJournals returns the number of the oldest journal whose contents are
// in no table, and the journal that was being flushed in databases of old
// LevelDBs, 0 for none.
func manifestJournals(b []byte) (oldest, previous int64, err error) {
	records, _ := splitRecords(b, 0)
	for _, rec := range records {
		for len(rec) > 0 {
			var tag, last uint64
			if tag, rec, err = number(rec); err != nil {
				return 0, 0, err
			}
			fields, ok := manifestFields[tag]
			if !ok {
				return 0, 0, fmt.Errorf("manifest: tag %d: %w", tag, errTail)
			}
			for _, kind := range fields {
				if last, rec, err = number(rec); err != nil {
					return 0, 0, err
				}
				if kind == 'b' {
					if last > uint64(len(rec)) {
						return 0, 0, fmt.Errorf("manifest: %w", io.ErrUnexpectedEOF)
					}
					rec = rec[last:]
				}
			}
			switch tag {
			case tagJournal:
				oldest = int64(last)
			case tagPrevJournal:
				previous = int64(last)
			}
		}
	}
	return oldest, previous, nil
}

func number(b []byte) (uint64, []byte, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, nil, fmt.Errorf("manifest: %w", io.ErrUnexpectedEOF)
	}
	return n, b[used:], nil
}
