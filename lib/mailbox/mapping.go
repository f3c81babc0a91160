package mailbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A mapping is a file mapped to be read. It reaches beyond the end of the file,
// so that a file that grows a little need not be mapped again; who reads it
// keeps to the size he knows.
type mapping struct{ b []byte }

const mapGrain = 1 << 16

// mapFile maps at least size octets of f and some more.
func mapFile(f *os.File, size int64) (mapping, error) {
	n := size + size/4 + mapGrain
	n -= n % mapGrain
	if int64(int(n)) != n {
		return mapping{}, fmt.Errorf("%s: %d octets: %w", f.Name(), size, ErrCorrupt)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, &os.PathError{Op: "mmap", Path: f.Name(), Err: err}
	}
	return mapping{b}, nil
}

func (m *mapping) unmap() {
	if m.b != nil {
		// Fails only for an address that was never mapped.
		_ = unix.Munmap(m.b)
		m.b = nil
	}
}

// contains says whether addr lies in m.
func (m *mapping) contains(addr uintptr) bool {
	start := address(m.b)
	return start != 0 && addr >= start && addr < start+uintptr(len(m.b))
}
