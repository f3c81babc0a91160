package mappedfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Map is a file's contents in memory, read-only, as long as it is.
//
// Octets beyond the end that another process truncated the file to cannot be
// touched: map only what a lock keeps from being truncated.
type Map struct {
	f   *os.File
	mem []byte // mapped
	len int
}

// NewMap maps f, which may grow later.
func NewMap(f *os.File) (*Map, error) {
	m := &Map{f: f}
	if err := m.Refresh(); err != nil {
		return nil, err
	}
	return m, nil
}

// Refresh brings Bytes up to the file's present size. Slices of earlier Bytes
// may become invalid.
func (m *Map) Refresh() error {
	st, err := m.f.Stat()
	if err != nil {
		return err
	}
	size := int(st.Size())
	if size > len(m.mem) {
		// Room to grow, so that an appended record needs no new mapping.
		mem, err := unix.Mmap(int(m.f.Fd()), 0, size+size/8+64<<10, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		if err := m.Close(); err != nil {
			return errors.Join(err, unix.Munmap(mem))
		}
		m.mem = mem
	}
	m.len = size
	return nil
}

// Bytes are the contents as of the last Refresh.
func (m *Map) Bytes() []byte { return m.mem[:m.len] }

// Close ends the mapping; the file stays open.
func (m *Map) Close() error {
	if m.mem == nil {
		return nil
	}
	mem := m.mem
	m.mem, m.len = nil, 0
	return unix.Munmap(mem)
}
