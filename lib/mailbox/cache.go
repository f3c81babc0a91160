package mailbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mappedfile"
)

// cacheItems is the number of items of a cache record.
const cacheItems = 10

// A cacheMap is a cyrus.cache as it is mapped. Guarded by cacheMu.
type cacheMap struct {
	file *os.File
	now  mapping
	old  []mapping // replaced, perhaps still read by a view
	size int64     // of the file when it was last looked at
	bad  bool      // absent, or of another generation
}

func (c *cacheMap) contains(addr uintptr) bool {
	if c.now.contains(addr) {
		return true
	}
	for i := range c.old {
		if c.old[i].contains(addr) {
			return true
		}
	}
	return false
}

// dropCaches unmaps the caches. No view is running.
func (m *Mailbox) dropCaches() {
	m.cacheMu.Lock()
	defer m.cacheMu.Unlock()
	for i := range m.caches {
		m.caches[i].drop()
	}
}

func (c *cacheMap) drop() {
	c.now.unmap()
	for i := range c.old {
		c.old[i].unmap()
	}
	if c.file != nil {
		c.file.Close()
	}
	*c = cacheMap{}
}

// Cache is the cache record of r, ten items, checked against its CRC; it lies in
// the mapped file and is good as long as the View. ErrNoCache is a record that
// has none that fits.
func (v *View) Cache(r indexfile.Raw) ([]byte, error) {
	off := r.CacheOffset()
	if off < 4 || r.CacheVersion() == 0 {
		return nil, ErrNoCache
	}
	which, path := 0, v.m.paths.cache
	if r.Flags()&indexfile.Archived != 0 && v.m.paths.archive != "" {
		which, path = 1, v.m.paths.archCch
	}
	if v.tx != nil && which == 0 {
		if rec := v.tx.b.cache.at(off); rec != nil {
			return checked(rec, r)
		}
	}
	b, err := v.m.cacheFrom(which, path, off, false)
	if err != nil {
		return nil, err
	}
	rec, err := checked(b, r)
	if err == nil {
		return rec, nil
	}
	// Perhaps the file has grown since it was looked at.
	if b, err = v.m.cacheFrom(which, path, off, true); err != nil {
		return nil, err
	}
	return checked(b, r)
}

func (m *Mailbox) cacheFrom(which int, path string, off uint64, look bool) ([]byte, error) {
	m.cacheMu.Lock()
	defer m.cacheMu.Unlock()
	return m.caches[which].from(path, m.hdr.Generation, off, look)
}

// checked is the record at the start of b.
func checked(b []byte, r indexfile.Raw) ([]byte, error) {
	n := 0
	for range cacheItems {
		if len(b)-n < 4 {
			return nil, ErrNoCache
		}
		size := uint64(binary.BigEndian.Uint32(b[n:]))
		size = 4 + (size+3)&^3
		if size > uint64(len(b)-n) {
			return nil, ErrNoCache
		}
		n += int(size)
	}
	b = b[:n:n]
	if r.Version() >= 12 && crc32.ChecksumIEEE(b) != r.CacheCRC() {
		return nil, ErrNoCache
	}
	return b, nil
}

// from is the file from off on; look asks to look how long it is now.
func (c *cacheMap) from(path string, generation uint32, off uint64, look bool) ([]byte, error) {
	if c.file == nil && !c.bad {
		if err := c.open(path, generation); err != nil {
			return nil, err
		}
	}
	if c.bad || c.file == nil {
		return nil, ErrNoCache
	}
	if look || off >= uint64(c.size) {
		if err := c.grow(); err != nil {
			return nil, err
		}
	}
	if off >= uint64(c.size) {
		return nil, ErrNoCache
	}
	return c.now.b[off:c.size], nil
}

func (c *cacheMap) open(path string, generation uint32) error {
	if done, err := c.tryOpen(path, generation); done || err != nil {
		return err
	}
	if err := finishRepack(path, generation); err != nil {
		return err
	}
	if done, err := c.tryOpen(path, generation); done || err != nil {
		return err
	}
	c.bad = true
	return nil
}

// tryOpen opens a cache of that generation; one that is not there is none, and
// looked for again. done is false for one of another generation.
func (c *cacheMap) tryOpen(path string, generation uint32) (done bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil // and try again next time: the first append makes it
	}
	if err != nil {
		return false, err
	}
	c.file = f
	if err := c.grow(); err != nil {
		return false, err
	}
	if c.size < 4 || binary.BigEndian.Uint32(c.now.b) != generation {
		c.drop()
		return false, nil
	}
	return true, nil
}

// grow looks how long the file is now, and maps it anew if the map is too short.
func (c *cacheMap) grow() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(c.file.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstat", Path: c.file.Name(), Err: err}
	}
	c.size = st.Size
	if c.size <= int64(len(c.now.b)) {
		return nil
	}
	n, err := mapFile(c.file, c.size)
	if err != nil {
		return err
	}
	if c.now.b != nil {
		c.old = append(c.old, c.now)
	}
	c.now = n
	return nil
}

// A cacheAppend is what a batch adds to a cyrus.cache.
type cacheAppend struct {
	file  *os.File
	start int64 // where buf goes
	buf   []byte
	wrote bool // records were added
}

// add takes in a record and says where it will be.
func (c *cacheAppend) add(m *Mailbox, rec []byte) (off uint64, err error) {
	if c.file == nil {
		if err := c.open(m); err != nil {
			return 0, err
		}
	}
	off = uint64(c.start) + uint64(len(c.buf))
	if off+uint64(len(rec)) >= 1<<48 {
		return 0, fmt.Errorf("%s: cache of %d octets: %w", m.Name(), off, ErrTooManyMessages)
	}
	if len(c.buf) >= maxCacheBuffer {
		// A copy of a whole mailbox need not fit into memory. What is written
		// here and then not used, the next append overwrites.
		if err := c.write(); err != nil {
			return 0, err
		}
		c.start, c.buf = c.start+int64(len(c.buf)), c.buf[:0]
	}
	c.buf = append(c.buf, rec...)
	c.wrote = true
	return off, nil
}

const maxCacheBuffer = 4 << 20

// pos is where the next record goes; back goes back to an earlier pos.
func (c *cacheAppend) pos() int64 { return c.start + int64(len(c.buf)) }

func (c *cacheAppend) back(pos int64) {
	switch {
	case c.file == nil || pos == 0:
		c.buf = c.buf[:0]
	case pos >= c.start:
		c.buf = c.buf[:pos-c.start]
	default:
		c.start, c.buf = pos, c.buf[:0]
	}
}

// at is the record at off, nil when it is not one of the batch.
func (c *cacheAppend) at(off uint64) []byte {
	if c.file == nil || off < uint64(c.start) || off >= uint64(c.start)+uint64(len(c.buf)) {
		return nil
	}
	return c.buf[off-uint64(c.start):]
}

// open opens the cache of the spool, made if it is not there: whole, for one without
// its first word is none. One of another generation is of no use to anybody and begins
// anew; the file is replaced and not cut, for somebody may have it mapped.
func (c *cacheAppend) open(m *Mailbox) error {
	size, err := c.openOf(m.paths.cache, m.hdr.Generation)
	if err == nil && size == 0 {
		// What a repack that was killed has left.
		if err = finishRepack(m.paths.cache, m.hdr.Generation); err == nil {
			size, err = c.openOf(m.paths.cache, m.hdr.Generation)
		}
	}
	switch {
	case err != nil:
		return err
	case size == 0:
		return c.renew(m)
	}
	c.start = (size + 3) &^ 3
	return nil
}

// openOf opens a cache of a generation. The size is 0 when there is none.
func (c *cacheAppend) openOf(path string, generation uint32) (size int64, err error) {
	f, err := mappedfile.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var word [4]byte
	st, err := f.Stat()
	if err == nil && st.Size() >= 4 {
		_, err = f.ReadAt(word[:], 0)
	}
	if err != nil || st.Size() < 4 || binary.BigEndian.Uint32(word[:]) != generation {
		f.Close()
		return 0, err
	}
	c.file = f
	return st.Size(), nil
}

// finishRepack does the last rename of a repack that was killed after it had put
// the new index in place: the new cache lies beside the old one, whole and
// synced, and its generation is the index's. The caller holds the index lock, if
// only shared: who comes second finds nothing to do.
func finishRepack(path string, generation uint32) error {
	fits := func(name string) (bool, error) {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer f.Close()
		var word [4]byte
		if _, err := f.ReadAt(word[:], 0); err != nil {
			return false, nil // empty: just made
		}
		return binary.BigEndian.Uint32(word[:]) == generation, nil
	}
	if ok, err := fits(path); ok || err != nil {
		return err
	}
	if ok, err := fits(path + ".NEW"); !ok || err != nil {
		return err
	}
	if err := os.Rename(path+".NEW", path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (c *cacheAppend) renew(m *Mailbox) error {
	f, err := os.OpenFile(m.paths.cache+".NEW", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	if _, err = f.Write(binary.BigEndian.AppendUint32(nil, m.hdr.Generation)); err == nil {
		if err = f.Sync(); err == nil {
			err = os.Rename(m.paths.cache+".NEW", m.paths.cache)
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(m.paths.cache))
	}
	if err != nil {
		f.Close()
		return err
	}
	m.dropCaches()
	c.file, c.start = f, 4
	return nil
}

// write writes the records; sync makes them durable.
func (c *cacheAppend) write() error {
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.file.WriteAt(c.buf, c.start)
	return err
}

func (c *cacheAppend) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}
