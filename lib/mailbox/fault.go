package mailbox

import (
	"fmt"
	"runtime/debug"
	"unsafe"
)

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// guard runs fn so that a fault in one of m's maps, of a file that somebody cut
// short or that the disk cannot read, is ErrCorrupt and not the end of the
// process. Other panics pass. It covers this goroutine only.
func (m *Mailbox) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		f, ok := r.(interface{ Addr() uintptr })
		if !ok || !m.maps(f.Addr()) {
			panic(r)
		}
		err = fmt.Errorf("%s: fault in a mapped file: %w", m.Name(), ErrCorrupt)
	}()
	return fn()
}

// maps says whether addr lies in a map of m.
func (m *Mailbox) maps(addr uintptr) bool {
	if m.imap.contains(addr) {
		return true
	}
	m.cacheMu.Lock()
	defer m.cacheMu.Unlock()
	for _, c := range m.caches {
		if c.contains(addr) {
			return true
		}
	}
	return false
}
