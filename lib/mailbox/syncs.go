package mailbox

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// maxSyncs is how many files are synced at the same time.
const maxSyncs = 16

// manySyncs is from how many files on the whole file system is synced instead:
// that is one commit of its journal, and costs most of all who has written much
// else there. See BenchmarkSync.
const manySyncs = 64

// SyncPath is what makes the content of a file durable whose writer has closed
// it: for Append.Sync.
func SyncPath(path string) func() error {
	return func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}
}

// syncLinks makes the new message files durable: their content and their names.
func (b *batch) syncLinks() error {
	switch n := len(b.syncs); {
	case n == 1:
		if err := b.syncs[0](); err != nil {
			return err
		}
	case n >= manySyncs:
		return b.m.syncAll()
	default:
		for some := range slices.Chunk(b.syncs, maxSyncs) {
			if err := together(some); err != nil {
				return err
			}
		}
	}
	return b.m.syncData()
}

// syncData is syncDir of the directory of the messages, which is kept open. The
// caller holds the exclusive lock.
func (m *Mailbox) syncData() error {
	d, err := m.openData()
	if err != nil {
		return err
	}
	return d.Sync()
}

// syncAll makes all durable that is on the file system of the messages. The
// caller holds the exclusive lock.
func (m *Mailbox) syncAll() error {
	d, err := m.openData()
	if err != nil {
		return err
	}
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: d.Name(), Err: err}
	}
	return nil
}

func (m *Mailbox) openData() (*os.File, error) {
	if m.dir == nil {
		d, err := openDir(m.paths.data)
		if err != nil {
			return nil, err
		}
		m.dir = d
	}
	return m.dir, nil
}
