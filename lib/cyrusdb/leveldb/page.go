package leveldb

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
)

// lockName is LevelDB's own lock file, so that its C++ tools, which lock it
// whole with fcntl, keep out while one of our writers is in.
const lockName = "LOCK"

const pageSize = 4096

// layout is the shared page, in the machine's octet order: it never leaves
// the machine, and is made anew after each boot.
//
// files and the two fields after it are written under a sequence counter, so
// that a reader sees the three of one moment.
type layout struct {
	magic [8]byte
	boot  [16]byte
	salt  uint64
	crc   uint32 // of the fields above
	_     uint32

	generation uint64 // moves with every acknowledged change of the contents
	open       uint64 // 1 while a writer's handle is open; still 1 if it died

	seq         uint64 // odd while the next three are being written
	files       uint64 // moves when the set of files changes
	journal     int64  // number of the journal being written
	journalSize int64  // octets of it that are synced, at the end of a record

	waiting  int64  // CLOCK_MONOTONIC nanoseconds when somebody last waited to write
	acquired uint64 // how often the lock was had
}

var pageMagic = [8]byte{'g', 'o', 'c', 'y', 'r', 'u', 's', '1'}

// page is the lock file, open and mapped.
type page struct {
	file *os.File
	mem  []byte
	*layout
	mu sync.Mutex // orders this process's writers of the sequenced fields
}

// openPage maps the page of the database in dir. One that is missing, torn,
// another's or of an earlier boot is made anew under the lock, with numbers
// that nobody remembers.
func openPage(dir string) (*page, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	p, err := mapPage(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map %s: %w", f.Name(), err), f.Close())
	}
	return p, nil
}

func mapPage(f *os.File) (*page, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if st.Size() < pageSize {
		// Growing is harmless to whoever has it mapped already.
		if err := growPage(f); err != nil {
			return nil, err
		}
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	p := &page{file: f, mem: mem, layout: (*layout)(unsafe.Pointer(&mem[0]))}
	if !p.valid(boot) {
		if err := p.rebuild(boot); err != nil {
			return nil, errors.Join(err, unix.Munmap(mem))
		}
	}
	return p, nil
}

func growPage(f *os.File) error {
	if err := lock.Wait(context.Background(), f, lock.Exclusive); err != nil {
		return err
	}
	defer lock.Release(f)
	st, err := f.Stat()
	if err != nil || st.Size() >= pageSize {
		return err
	}
	return f.Truncate(pageSize)
}

func (p *page) sum() uint32 {
	return crc32.ChecksumIEEE(p.mem[:unsafe.Offsetof(p.layout.crc)])
}

func (p *page) valid(boot [16]byte) bool {
	return p.magic == pageMagic && p.boot == boot && p.crc == p.sum()
}

func (p *page) rebuild(boot [16]byte) error {
	if err := lock.Wait(context.Background(), p.file, lock.Exclusive); err != nil {
		return err
	}
	defer lock.Release(p.file)
	if p.valid(boot) {
		return nil // somebody else's work, while we waited
	}
	var random [24]byte
	rand.Read(random[:])
	atomic.StoreUint64(&p.open, 1) // whatever was there, a writer may have died in it
	atomic.StoreInt64(&p.waiting, 0)
	atomic.StoreUint64(&p.seq, 0)
	atomic.StoreInt64(&p.journal, 0)
	atomic.StoreInt64(&p.journalSize, 0)
	atomic.StoreUint64(&p.files, binary.NativeEndian.Uint64(random[0:]))
	atomic.StoreUint64(&p.generation, binary.NativeEndian.Uint64(random[8:]))
	p.salt = binary.NativeEndian.Uint64(random[16:])
	p.magic, p.boot = pageMagic, boot
	p.crc = p.sum()
	return nil
}

func (p *page) close() error {
	return errors.Join(unix.Munmap(p.mem), p.file.Close())
}

func (p *page) gen() uint64 { return atomic.LoadUint64(&p.generation) }

// changed tells every reader that the contents are no longer what they were.
func (p *page) changed() { atomic.AddUint64(&p.generation, 1) }

// place is where a reader's handle stands among the files.
type place struct {
	files   uint64
	journal int64
	size    int64
}

// where returns the place of this moment. It is not ok when a writer died
// within the few instructions of setting it.
func (p *page) where() (pl place, ok bool) {
	for range 1000 {
		before := atomic.LoadUint64(&p.seq)
		pl.files = atomic.LoadUint64(&p.files)
		pl.journal = atomic.LoadInt64(&p.journal)
		pl.size = atomic.LoadInt64(&p.journalSize)
		if before&1 == 0 && atomic.LoadUint64(&p.seq) == before {
			return pl, true
		}
	}
	return pl, false
}

// set changes the sequenced fields. The lock on the file makes the caller the
// only process here.
func (p *page) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seq := atomic.LoadUint64(&p.seq) | 1 // odd already: its writer died
	atomic.StoreUint64(&p.seq, seq)
	change()
	atomic.StoreUint64(&p.seq, seq+1)
}

// filesChanged: a handle opened before may lack what is written from now on
// elsewhere than at the end of the journal.
func (p *page) filesChanged() {
	p.set(func() { atomic.AddUint64(&p.files, 1) })
}

func (p *page) newJournal(num int64) {
	p.set(func() {
		atomic.AddUint64(&p.files, 1)
		atomic.StoreInt64(&p.journal, num)
		atomic.StoreInt64(&p.journalSize, 0)
	})
}

func (p *page) journalSynced(num, size int64) {
	p.set(func() {
		if atomic.LoadInt64(&p.journal) == num {
			atomic.StoreInt64(&p.journalSize, size)
		}
	})
}

// current says whether the name of the lock file still leads to p.
func (p *page) current() bool {
	ok, err := lock.Current(p.file)
	return ok && err == nil
}

// A waiter renews its mark with each try. A mark older than markLife is that
// of a process that has the lock meanwhile, or has died.
const markLife = 20 * time.Millisecond

func (p *page) mark() { atomic.StoreInt64(&p.waiting, monotonic()) }

func (p *page) somebodyWaits() bool {
	return monotonic()-atomic.LoadInt64(&p.waiting) < int64(markLife)
}

// Waiting for the lock is polling: it must end, and renew the mark that the
// holder looks at.
const (
	pollFirst = 50 * time.Microsecond
	pollMax   = 500 * time.Microsecond
)

// wait locks f, an open file of p's name, and has the holder know.
func (p *page) wait(f *os.File, m lock.Mode) error {
	deadline := time.Now().Add(lock.DefaultWait)
	for pause := pollFirst; ; pause = min(2*pause, pollMax) {
		err := lock.Try(f, m)
		if !errors.Is(err, lock.ErrBusy) || time.Now().After(deadline) {
			return err
		}
		p.mark()
		time.Sleep(pause)
	}
}

func monotonic() int64 {
	var ts unix.Timespec
	// CLOCK_MONOTONIC is the same for all processes and cannot fail.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

var bootID = sync.OnceValues(func() (id [16]byte, err error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, err
	}
	_, err = hex.Decode(id[:], []byte(strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")))
	return id, err
})
