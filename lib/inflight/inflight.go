// Package inflight keeps notes of what a process is in the middle of, where they
// outlive the process: who starts later finds the notes of those that were
// killed and puts right what they left half done.
//
// Each process has one file of its own in a directory, made with its first note,
// mapped, and locked as long as the process lives. A note is some text in a slot
// of the file; to begin and to end one are a few writes to memory, which the
// kernel keeps when the process is killed. They are not synced. A machine that
// goes down takes them along; that it did is told by the file itself, which bears
// the id of the boot it was made in and is removed by a process that ends.
//
//	0     magic, 18 octets; then the boot id, 36
//	2048  slots of 2048 octets: length of the text (32 bit, of the machine's
//	      order; 0 is a free slot), the text
//
// The package does not know what the notes mean.
package inflight

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

const (
	magic    = "gocyrus inflight 1"
	slotSize = 2048
	// MaxText is the length of the longest note.
	MaxText = slotSize - 4
	// growth is how many slots are mapped at a time.
	growth = 32
)

var (
	// ErrTooLong is a note longer than MaxText.
	ErrTooLong = errors.New("note is too long")
	// ErrClosed is a note for a log that is closed.
	ErrClosed = errors.New("log of notes is closed")
)

// A Log is the notes of one process. Its methods may be called from many
// goroutines.
type Log struct {
	dir string

	mu     sync.Mutex
	file   *os.File // nil before the first note
	maps   [][]byte
	free   []*Note // the one that was used last is used next: it is in memory
	closed bool
}

// New is a log with its file in dir, which is made when it is needed.
func New(dir string) *Log { return &Log{dir: dir} }

// A Note says that something is under way.
type Note struct {
	log  *Log
	slot []byte
}

// Begin makes a note. What it tells of may begin when it returns.
func (l *Log) Begin(text string) (*Note, error) {
	if len(text) > MaxText || text == "" {
		return nil, fmt.Errorf("%d octets: %w", len(text), ErrTooLong)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == 0 {
		if err := l.grow(); err != nil {
			return nil, err
		}
	}
	n := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	copy(n.slot[4:], text)
	// The text is there before the length says so.
	atomic.StoreUint32(n.length(), uint32(len(text)))
	return n, nil
}

func (n *Note) length() *uint32 { return (*uint32)(unsafe.Pointer(unsafe.SliceData(n.slot))) }

// End withdraws a note: what it tells of is done. It is called once. A note that
// is never ended is found when the process is gone.
func (n *Note) End() {
	l := n.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	atomic.StoreUint32(n.length(), 0)
	l.free = append(l.free, n)
}

// grow maps more slots, of a file that is made if there is none. Their blocks
// are allocated, so that a full disk is an error here and not a fault later.
func (l *Log) grow() error {
	if l.closed {
		return ErrClosed
	}
	if l.file == nil {
		f, err := create(l.dir)
		if err != nil {
			return err
		}
		l.file = f
	}
	const size = growth * slotSize
	// The first slot of the file is its head.
	off := int64(len(l.maps)) * size
	if err := allocate(l.file, off, size); err != nil {
		return err
	}
	b, err := unix.Mmap(int(l.file.Fd()), off, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return &os.PathError{Op: "mmap", Path: l.file.Name(), Err: err}
	}
	first := 0
	if off == 0 {
		first = slotSize
	}
	l.maps = append(l.maps, b)
	for at := first; at < size; at += slotSize {
		l.free = append(l.free, &Note{log: l, slot: b[at : at+slotSize]})
	}
	return nil
}

// allocate makes the file longer, with blocks for all of it.
func allocate(f *os.File, off, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, off, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		st, e := f.Stat()
		if e != nil {
			return e
		}
		at := max(off, st.Size())
		_, err = f.WriteAt(make([]byte, off+size-at), at)
	}
	if err != nil {
		return &os.PathError{Op: "allocate", Path: f.Name(), Err: err}
	}
	return nil
}

// create makes a file, locks it and makes it durable.
func create(dir string) (*os.File, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		path := filepath.Join(dir, strconv.Itoa(os.Getpid())+"."+strconv.Itoa(n))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue // of another process that had the number, or of another log
		}
		if errors.Is(err, os.ErrNotExist) {
			if err = os.MkdirAll(dir, 0o755); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		ok, err := claim(f, boot)
		if ok {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, errors.Join(err, os.Remove(path))
		}
	}
}

// claim locks a new file and writes its head. Somebody who looks for the files
// of the dead may have taken it for one: then it is not ours.
func claim(f *os.File, boot string) (ok bool, err error) {
	if err := lock.Try(f, lock.Exclusive); err != nil {
		if errors.Is(err, lock.ErrBusy) {
			return false, nil
		}
		return false, err
	}
	if ok, err := lock.Current(f); !ok {
		return false, err
	}
	if _, err := f.WriteAt([]byte(magic+boot), 0); err != nil {
		return false, err
	}
	if err := f.Sync(); err != nil {
		return false, err
	}
	return true, mappedfile.SyncDir(filepath.Dir(f.Name()))
}

// bootID is the id that the kernel has given itself when it started.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// Close ends the log. The file goes, unless a note has not been ended.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.file == nil {
		return nil
	}
	var errs []error
	if len(l.free) == len(l.maps)*growth-1 {
		errs = append(errs, os.Remove(l.file.Name()))
	}
	for _, b := range l.maps {
		errs = append(errs, unix.Munmap(b))
	}
	l.maps, l.free = nil, nil
	return errors.Join(append(errs, l.file.Close())...)
}
