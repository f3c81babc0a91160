package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
)

// tidy is what the last close does: files of messages expunged for good are
// removed, and the mailbox is repacked, when it asks for that and nobody else is
// in it. What is not done now, another close does.
func (m *Mailbox) tidy() {
	want := indexfile.Options(m.wants.Load()) & (indexfile.OptNeedsUnlink | indexfile.OptNeedsRepack)
	if want == 0 || !m.last() {
		return
	}
	err := m.alone(func(ctx context.Context) error {
		if want&indexfile.OptNeedsRepack != 0 {
			return m.repack(ctx, 0)
		}
		return m.cleanup(ctx)
	})
	if err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrNotFound) {
		log.Err("IOERROR: tidying %s: %v", m.Name(), err)
	}
}

func (m *Mailbox) last() bool {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	return m.refs == 1
}

// alone runs fn with the user and the name lock, both exclusive, if they are
// free at once. The error is fn's or ErrBusy.
func (m *Mailbox) alone(fn func(ctx context.Context) error) error {
	if err := m.user.try(lock.Exclusive); err != nil {
		return err
	}
	defer m.user.drop(lock.Exclusive)
	if err := m.name.try(lock.Exclusive); err != nil {
		return err
	}
	defer m.name.drop(lock.Exclusive)
	ctx := context.WithValue(context.Background(), held{m.user}, true)
	return fn(context.WithValue(ctx, held{m.name}, true))
}

// exclusive runs fn with all locks held exclusively, waiting for them.
func (m *Mailbox) exclusive(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, unlock, err := m.store.lockBoth(ctx, m.entry.Load())
	if err != nil {
		return err
	}
	defer unlock()
	return fn(ctx)
}

// Cleanup removes the files of messages that were expunged for good, and those
// that archiving left behind. It waits until nobody else is in the mailbox.
func (m *Mailbox) Cleanup(ctx context.Context) error { return m.exclusive(ctx, m.cleanup) }

// cleanup is Cleanup under the exclusive name lock.
func (m *Mailbox) cleanup(ctx context.Context) error {
	return m.Update(ctx, func(tx *Tx) error {
		var dropped []uint32
		for recno := 1; recno <= tx.NumRecords(); recno++ {
			raw := tx.Raw(recno)
			if raw.UID() == 0 || raw.Flags()&(indexfile.NeedsCleanup|indexfile.Unlinked) == 0 {
				continue
			}
			if err := m.removeFiles(raw.UID(), raw.Flags()); err != nil {
				return err
			}
			if raw.Flags()&indexfile.Unlinked != 0 {
				dropped = append(dropped, raw.UID())
			}
			if raw.Flags()&indexfile.NeedsCleanup == 0 {
				continue
			}
			var r indexfile.Record
			if err := tx.Record(recno, &r); err != nil {
				return err
			}
			r.Flags &^= indexfile.NeedsCleanup
			if err := tx.RewriteQuietly(recno, &r); err != nil {
				return err
			}
		}
		tx.Header().Options &^= indexfile.OptNeedsUnlink
		return m.dropAnnots(dropped)
	})
}

// removeFiles removes the files that a message does not need: both when it is
// unlinked, else the one that archiving left on the other partition.
func (m *Mailbox) removeFiles(uid uint32, f indexfile.Flags) error {
	spool, archive := m.paths.message(uid, false), m.paths.message(uid, true)
	var errs []error
	if f&(indexfile.Unlinked|indexfile.Archived) != 0 && (spool != archive || f&indexfile.Unlinked != 0) {
		errs = append(errs, remove(spool))
	}
	if spool != archive && (f&indexfile.Unlinked != 0 || f&indexfile.Archived == 0) {
		errs = append(errs, remove(archive))
	}
	return errors.Join(errs...)
}

// remove removes a file that may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
