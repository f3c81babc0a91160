package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
)

// errDirty is a header that a writer left half way, or that does not fit its
// CRC: worth a recovery.
var errDirty = errors.New("index was left half written")

// refresh brings what is known of the index up to date. The caller holds its
// lock, alone in this process, and has seen that the file has size octets.
func (m *Mailbox) refresh(size int64) error {
	if m.imap.b == nil || size > int64(len(m.imap.b)) {
		if err := m.remap(size); err != nil {
			return err
		}
	}
	if size < indexfile.MaxHeader && size < 76 {
		return fmt.Errorf("index of %d octets: %w", size, ErrCorrupt)
	}
	head := m.imap.b[:min(size, indexfile.MaxHeader)]
	if !m.stale && len(m.raw) <= len(head) && bytes.Equal(m.raw, head[:len(m.raw)]) {
		return nil
	}
	return m.reread(head, size)
}

// remap maps the index anew. Nobody reads the old map: views keep nothing of it,
// and there is none now.
func (m *Mailbox) remap(size int64) error {
	n, err := mapFile(m.index, size)
	if err != nil {
		return err
	}
	m.imap.unmap()
	m.imap = n
	m.stale = true
	return nil
}

// reread reads the header, and cyrus.header if that is another file now.
func (m *Mailbox) reread(head []byte, size int64) error {
	var h indexfile.Header
	switch err := h.Parse(head); {
	case errors.Is(err, indexfile.ErrChecksum):
		return fmt.Errorf("%w: %w", errDirty, err)
	case errors.Is(err, indexfile.ErrVersion):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if h.Options&indexfile.OptDeleted != 0 {
		return fmt.Errorf("being deleted: %w", ErrNotFound)
	}
	if size < h.FileSize() {
		return fmt.Errorf("%w: %d records in an index of %d octets", ErrCorrupt, h.NumRecords, size)
	}
	if h.Format&indexfile.FormatDirty != 0 {
		return fmt.Errorf("%w: marked", errDirty)
	}
	if err := m.readHeaderFile(&h); err != nil {
		return err
	}
	// cyrus.header is only replaced under the exclusive lock of the index, and
	// the index header follows before that goes: who sees the one without the
	// other sees a dead writer's work.
	if h.Version >= 12 && h.HeaderFileCRC != m.hfCRC {
		return fmt.Errorf("%w: cyrus.header is newer", errDirty)
	}
	return m.adopt(&h)
}

// adopt makes h the header that is known, with the records it counts.
func (m *Mailbox) adopt(h *indexfile.Header) error {
	t, err := indexfile.NewTable(m.imap.b, h)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if h.Generation != m.hdr.Generation {
		m.dropCaches()
	}
	m.hdr, m.table, m.stale = *h, t, false
	m.wants.Store(uint32(h.Options))
	m.raw = append(m.raw[:0], m.imap.b[:h.StartOffset]...)
	return nil
}

// readHeaderFile reads cyrus.header when it is not the file that was read last.
// The inode alone does not tell: the one after the next may have its number
// again. So the CRC that h has of it must be the one that is known too.
func (m *Mailbox) readHeaderFile(h *indexfile.Header) error {
	now, err := inodeOf(m.paths.header)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if m.hf != nil && now == m.hfIno && (h.Version < 12 || h.HeaderFileCRC == m.hfCRC) {
		return nil
	}
	b, err := os.ReadFile(m.paths.header)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	hf, err := headerfile.Parse(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	m.setHeaderFile(hf, now, headerfile.CRC(b))
	return nil
}

func inodeOf(path string) (inode, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return inode{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return inode{st.Dev, st.Ino}, nil
}

func (m *Mailbox) setHeaderFile(hf *headerfile.Header, ino inode, crc uint32) {
	m.hf, m.hfIno, m.hfCRC = hf, ino, crc
	for i := range indexfile.MaxUserFlags {
		name := ""
		if i < len(hf.Flags) {
			name = hf.Flags[i]
		}
		m.crcs.SetName(i, name)
	}
}
