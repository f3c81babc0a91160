package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
)

// recover counts anew what a writer left half way. The caller holds the index
// lock in mode; it does so on return without error.
func (m *Mailbox) recover(ctx context.Context, mode lock.Mode, size int64) error {
	if mode == lock.Shared {
		// Dropped and taken anew, not upgraded: two who upgrade wait for
		// each other for ever.
		if err := lock.Release(m.index); err != nil {
			return err
		}
		if err := lock.Wait(ctx, m.index, lock.Exclusive); err != nil {
			return err
		}
		var current bool
		var err error
		if size, current, err = m.current(); err != nil {
			return err
		} else if !current {
			return fmt.Errorf("replaced during recovery: %w", ErrCorrupt)
		}
	}
	err := m.refresh(size)
	if errors.Is(err, errDirty) || err == nil && m.suspect.Load() {
		if err = m.recount(size); err == nil {
			m.suspect.Store(false)
		}
	}
	if err == nil && mode == lock.Shared {
		// From exclusive to shared is one step: nobody comes between.
		err = lock.Try(m.index, lock.Shared)
	}
	return err
}

// recount makes a header that fits the records. Its other fields are taken as
// they are: a writer that is killed leaves a whole header, since one write of
// 160 octets is not divided. One whose CRC is wrong all the same is taken only
// when it agrees with mailboxes.db and the size of the file.
func (m *Mailbox) recount(size int64) error {
	var h indexfile.Header
	err := h.Parse(m.imap.b[:min(size, indexfile.MaxHeader)])
	if err != nil && !errors.Is(err, indexfile.ErrChecksum) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if !indexfile.Writable(h.Version) || size < h.FileSize() {
		return fmt.Errorf("%w: %d records in %d octets", ErrCorrupt, h.NumRecords, size)
	}
	if err != nil && (h.UIDValidity == 0 || h.UIDValidity != m.entry.Load().UIDValidity) {
		return fmt.Errorf("%w: uidvalidity %d: %w", ErrCorrupt, h.UIDValidity, err)
	}
	if err := m.readHeaderFile(&h); err != nil {
		return err
	}
	h.HeaderFileCRC = m.hfCRC
	t, err := indexfile.NewTable(m.imap.b, &h)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	a := m.annots()
	defer a.close()
	if err := count(&h, t.Len(), t.Raw, &m.crcs, a); err != nil {
		return err
	}
	h.Format &^= indexfile.FormatDirty
	b := &batch{m: m, hdr: h}
	if err := b.writeHeader(&h); err != nil {
		return err
	}
	if err := unix.Fdatasync(int(m.index.Fd())); err != nil {
		return err
	}
	m.snapMu.Lock()
	m.snap, m.gone, m.hist = nil, nil, history{}
	m.snapMu.Unlock()
	return m.adopt(&h)
}

// count sets in h what the records say: n of them, the first has number 1. LastUID
// and HighestModSeq are raised where they are too low.
func count(h *indexfile.Header, n int, raw func(recno int) indexfile.Raw, flags *indexfile.FlagCRCs, a *annots) error {
	h.ResetCounts()
	h.FirstExpunged = 0
	var r indexfile.Record
	for recno := 1; recno <= n; recno++ {
		if err := raw(recno).Record(&r); err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrCorrupt, recno, err)
		}
		h.Count(&r, true)
		h.SyncCRC ^= flags.Basic(&r)
		h.SyncCRCAnnot ^= indexfile.Virtual(&r, h.Version)
		h.LastUID = max(h.LastUID, r.UID)
		h.HighestModSeq = max(h.HighestModSeq, r.ModSeq)
		if r.UID == 0 {
			continue
		}
		if r.Flags&indexfile.Expunged != 0 {
			if h.FirstExpunged == 0 || h.FirstExpunged > r.LastUpdated {
				h.FirstExpunged = r.LastUpdated
			}
			continue
		}
		_, crc, err := a.sums(r.UID)
		if err != nil {
			return err
		}
		h.SyncCRCAnnot ^= crc
	}
	return nil
}
