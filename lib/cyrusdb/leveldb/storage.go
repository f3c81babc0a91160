package leveldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

const currentName = "CURRENT"

// fileStorage is LevelDB's directory without the lock that goleveldb's own
// storage takes on it: who may write is settled by the writer, for as long as
// its handle is open, and readers need nobody's leave. File names are those
// that LevelDB's tools expect.
type fileStorage struct {
	dir string
	// page hears of every change of the set of files; nil in a reader's storage,
	// which can change nothing.
	page *page
}

var errReadOnlyStorage = errors.New("storage is opened read-only")

type noLock struct{}

func (noLock) Unlock() {}

func (s *fileStorage) Lock() (storage.Locker, error) { return noLock{}, nil }

// Log drops goleveldb's chatter.
func (s *fileStorage) Log(string) {}

func (s *fileStorage) Close() error { return nil }

func (s *fileStorage) path(fd storage.FileDesc) string {
	return filepath.Join(s.dir, fd.String())
}

// SetMeta points CURRENT to another manifest, by replacing it.
func (s *fileStorage) SetMeta(fd storage.FileDesc) error {
	if s.page == nil {
		return errReadOnlyStorage
	}
	if !storage.FileDescOk(fd) {
		return storage.ErrInvalidFile
	}
	name := filepath.Join(s.dir, currentName)
	if err := writeSynced(name+".tmp", fd.String()+"\n"); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	s.page.filesChanged()
	return syncDir(s.dir)
}

func (s *fileStorage) GetMeta() (storage.FileDesc, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, currentName))
	if err != nil {
		return storage.FileDesc{}, plain(err)
	}
	fd, ok := parseName(strings.TrimSuffix(string(b), "\n"))
	if !ok || fd.Type != storage.TypeManifest {
		return storage.FileDesc{}, &storage.ErrCorrupted{Err: fmt.Errorf("CURRENT holds %q", b)}
	}
	if _, err := os.Stat(s.path(fd)); err != nil {
		return storage.FileDesc{}, plain(err)
	}
	return fd, nil
}

func (s *fileStorage) List(ft storage.FileType) (fds []storage.FileDesc, err error) {
	d, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(0)
	for _, name := range names {
		if fd, ok := parseName(name); ok && fd.Type&ft != 0 {
			fds = append(fds, fd)
		}
	}
	return fds, err
}

func (s *fileStorage) Open(fd storage.FileDesc) (storage.Reader, error) {
	f, err := os.Open(s.path(fd))
	if errors.Is(err, os.ErrNotExist) && fd.Type == storage.TypeTable {
		f, err = os.Open(strings.TrimSuffix(s.path(fd), ".ldb") + ".sst")
	}
	if err != nil {
		return nil, plain(err)
	}
	return f, nil
}

func (s *fileStorage) Create(fd storage.FileDesc) (storage.Writer, error) {
	if s.page == nil {
		return nil, errReadOnlyStorage
	}
	f, err := os.OpenFile(s.path(fd), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	if fd.Type == storage.TypeJournal {
		s.page.newJournal(fd.Num)
	}
	return &fileWriter{File: f, s: s, fd: fd}, nil
}

func (s *fileStorage) Remove(fd storage.FileDesc) error {
	if s.page == nil {
		return errReadOnlyStorage
	}
	return plain(os.Remove(s.path(fd)))
}

func (s *fileStorage) Rename(from, to storage.FileDesc) error {
	if s.page == nil {
		return errReadOnlyStorage
	}
	return os.Rename(s.path(from), s.path(to))
}

// fileWriter is a new file. Its name is made durable with its first octets.
type fileWriter struct {
	*os.File
	s    *fileStorage
	fd   storage.FileDesc
	size int64
	once sync.Once
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	w.size += int64(n)
	return n, err
}

func (w *fileWriter) Sync() error {
	if err := w.File.Sync(); err != nil {
		return err
	}
	var err error
	w.once.Do(func() { err = syncDir(w.s.dir) })
	switch w.fd.Type {
	case storage.TypeJournal:
		w.s.page.journalSynced(w.fd.Num, w.size)
	case storage.TypeManifest:
		w.s.page.filesChanged()
	}
	return err
}

// parseName reads the names that storage.FileDesc prints, and the older
// ending of tables.
func parseName(name string) (storage.FileDesc, bool) {
	typ, digits := storage.FileType(0), ""
	if num, ok := strings.CutPrefix(name, "MANIFEST-"); ok {
		typ, digits = storage.TypeManifest, num
	} else if stem, ext, ok := strings.Cut(name, "."); ok {
		digits = stem
		switch ext {
		case "log":
			typ = storage.TypeJournal
		case "ldb", "sst":
			typ = storage.TypeTable
		case "tmp":
			typ = storage.TypeTemp
		}
	}
	num, err := strconv.ParseInt(digits, 10, 64)
	if typ == 0 || err != nil || num < 0 {
		return storage.FileDesc{}, false
	}
	return storage.FileDesc{Type: typ, Num: num}, true
}

// plain makes a missing file what goleveldb compares with.
func plain(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return os.ErrNotExist
	}
	return err
}

func writeSynced(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
