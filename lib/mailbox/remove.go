package mailbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// Remove removes a mailbox's files, for good, and takes it off its quota root.
// Sessions that have it open are told ErrNotFound. The entry in mailboxes.db is
// the caller's, and goes first. A mailbox without files is no error.
func (s *Store) Remove(ctx context.Context, e *mboxlist.Entry) error {
	ctx, unlock, err := s.lockBoth(ctx, e)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := s.get(e)
	if err != nil {
		return err
	}
	defer m.vanish()
	if err := m.charge(As(ctx, e)); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	return m.paths.remove(s.opt.Partitions[e.Partition])
}

// charge takes m off its quota root and marks it as going, so that a crash half
// way leaves nothing that looks like a mailbox.
func (m *Mailbox) charge(ctx context.Context) error {
	return m.guard(func() error {
		in, err := m.enter(ctx, lock.Exclusive)
		if err != nil {
			return err
		}
		defer in.leave()
		done, err := m.store.Begin(m.entry.Load(), mboxname.Name(m.hf.QuotaRoot))
		if err != nil {
			return err
		}
		if err := m.setDeleted(true); err != nil {
			return err
		}
		if err := m.account(m.hf.QuotaRoot, -1); err != nil {
			return err
		}
		done()
		return nil
	})
}

// setDeleted sets or clears the mark of a mailbox that is going away.
func (m *Mailbox) setDeleted(on bool) error { return m.setOption(indexfile.OptDeleted, on) }

// setOption sets or clears an option in the header, durably, and nothing else.
func (m *Mailbox) setOption(option indexfile.Options, on bool) error {
	h := m.hdr
	h.Options &^= option
	if on {
		h.Options |= option
	}
	if !indexfile.Writable(h.Version) {
		return nil
	}
	b := &batch{m: m}
	m.stale = true
	if err := b.writeHeader(&h); err != nil {
		return err
	}
	return unix.Fdatasync(int(m.index.Fd()))
}

// account puts all that m uses on a quota root, times sign.
func (m *Mailbox) account(root string, sign int64) error {
	if m.store.quota == nil || root == "" {
		return nil
	}
	u := usage(&m.hdr)
	u[quota.Mailbox] = 1
	for r := range u {
		u[r] *= sign
	}
	return m.store.quota.Charge(mboxname.Name(root), u)
}

// vanish takes m out of the store: the next Open of its id finds what is there
// then.
func (m *Mailbox) vanish() {
	s := m.store
	s.mu.Lock()
	if s.open[m.id] == m {
		delete(s.open, m.id)
		s.forget(m)
	}
	s.mu.Unlock()
	m.release()
}

// remove removes the files in all directories of a mailbox, and those
// directories up to the root of the partition that are empty then: a legacy
// mailbox has those of its children inside.
func (p *paths) remove(part Partition) error {
	roots := []string{part.Data, part.Archive}
	for _, r := range part.Meta {
		roots = append(roots, r)
	}
	var errs []error
	// The index goes first: without it this is no mailbox any more.
	errs = append(errs, remove(p.index))
	for _, d := range p.dirs {
		errs = append(errs, emptyDir(d))
		for dir := d; inside(dir, roots); dir = filepath.Dir(dir) {
			if unix.Rmdir(dir) != nil {
				break // not empty, or gone
			}
		}
	}
	return errors.Join(errs...)
}

// inside says whether dir lies below one of the roots, and is none itself.
func inside(dir string, roots []string) bool {
	for _, r := range roots {
		if r == "" {
			continue
		}
		if rel, err := filepath.Rel(r, dir); err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
			return true
		}
	}
	return false
}

// emptyDir removes the files of a directory, not its directories.
func emptyDir(dir string) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, f := range list {
		if !f.IsDir() {
			errs = append(errs, remove(filepath.Join(dir, f.Name())))
		}
	}
	return errors.Join(errs...)
}
