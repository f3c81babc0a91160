package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// SameFiles says whether the mailbox of two entries lies in the same place: then
// a rename needs Rename only.
func (s *Store) SameFiles(a, b *mboxlist.Entry) bool {
	p, err := s.pathsOf(a)
	if err != nil {
		return false
	}
	q, err := s.pathsOf(b)
	return err == nil && p.data == q.data && p.index == q.index
}

// Rename writes the new name of a mailbox that stays where it is, and perhaps
// its new quota root, into cyrus.header. commit stores the entry, which is what
// counts: it is called once the mailbox is found to be sound, and with its error
// all is as it was. Unless the entry keeps its FolderModSeq, as on a replica, the
// mailbox gets a new modseq, as in Cyrus. The caller holds the user lock.
func (s *Store) Rename(ctx context.Context, from, to *mboxlist.Entry, quotaRoot string, commit func() error) error {
	m, err := s.get(to)
	if err != nil {
		return err
	}
	defer m.Close()
	stored := false
	err = m.Update(As(ctx, from), func(tx *Tx) error {
		if to.FolderModSeq > from.FolderModSeq {
			if _, err := tx.TouchModSeq(); err != nil {
				return err
			}
			h := tx.Header()
			h.HighestModSeq = max(h.HighestModSeq, to.FolderModSeq)
		}
		tx.SetName()
		tx.SetQuotaRoot(quotaRoot)
		tx.with(func() error {
			err := commit()
			stored = err == nil
			return err
		})
		return nil
	})
	if !stored {
		m.setEntry(from)
	}
	return err
}

// Move puts the files of a mailbox where another entry has them: a legacy
// mailbox that is renamed, or any that changes its partition. Messages are
// linked where that can be. When all is in place and durable, commit stores the
// new entry; with its error, or a crash before it, the old mailbox is as it was.
// The modseq is as Rename has it.
// Then the old files are removed.
func (s *Store) Move(ctx context.Context, from, to *mboxlist.Entry, quotaRoot string, commit func() error) error {
	ctx, unlock, err := s.lockBoth(ctx, from)
	if err != nil {
		return err
	}
	defer unlock()
	if s.nameLock(from) != s.nameLock(to) {
		var unlockTo func()
		if ctx, unlockTo, err = s.LockName(ctx, to); err != nil {
			return err
		}
		defer unlockTo()
	}
	p, err := s.pathsOf(to)
	if err != nil {
		return err
	}
	if err := s.vacate(p, to); err != nil {
		return err
	}
	m, err := s.get(from)
	if err != nil {
		return err
	}
	defer m.vanish()
	return m.guard(func() error {
		in, err := m.enter(As(ctx, from), lock.Exclusive)
		if err != nil {
			return err
		}
		defer in.leave()
		return m.move(p, from, to, quotaRoot, commit)
	})
}

// vacate makes room for a mailbox: what a move that was killed left there is
// removed. A mailbox is ErrExists.
func (s *Store) vacate(p *paths, to *mboxlist.Entry) error {
	if _, err := os.Stat(p.index); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if s.list == nil {
		return fmt.Errorf("%s: %w", to.Name, ErrExists)
	}
	e, err := s.list.Lookup(to.Name)
	switch {
	case err == nil && !e.Deleted() && s.SameFiles(e, to):
		return fmt.Errorf("%s: %w", to.Name, ErrExists)
	case err != nil && !errors.Is(err, mboxlist.ErrNotFound):
		return err
	}
	return p.remove(s.opt.Partitions[to.Partition])
}

func (m *Mailbox) move(p *paths, from, to *mboxlist.Entry, quotaRoot string, commit func() error) error {
	part := m.store.opt.Partitions[to.Partition]
	if err := m.copyTo(p, from, to, quotaRoot); err != nil {
		return errors.Join(err, p.remove(part))
	}
	done, err := m.store.Begin(to, mboxname.Name(m.hf.QuotaRoot), mboxname.Name(quotaRoot))
	if err != nil {
		return errors.Join(err, p.remove(part))
	}
	if err := m.account(quotaRoot, 1); err != nil {
		return errors.Join(err, p.remove(part))
	}
	if err := commit(); err != nil {
		back := m.account(quotaRoot, -1)
		if back == nil {
			done()
		}
		return errors.Join(err, back, p.remove(part))
	}
	// From here on it is the new one; what fails now is only litter.
	if err = m.account(m.hf.QuotaRoot, -1); err == nil {
		done()
	}
	return errors.Join(
		err,
		m.setDeleted(true),
		m.paths.remove(m.store.opt.Partitions[m.entry.Load().Partition]),
	)
}

// copyTo makes the mailbox once more at p.
func (m *Mailbox) copyTo(p *paths, old, to *mboxlist.Entry, quotaRoot string) error {
	for _, d := range p.dirs {
		if err := mkdirs(d); err != nil {
			return err
		}
	}
	if err := m.copyMessages(p); err != nil {
		return err
	}
	for from, at := range map[string]string{m.paths.cache: p.cache, m.paths.archCch: p.archCch, m.paths.annots: p.annots, m.paths.xconv: p.xconv} {
		if from == "" || at == "" {
			continue
		}
		if err := copyFile(from, at); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
	}
	hf := m.hf.Clone()
	hf.Type, hf.Name, hf.UniqueID, hf.QuotaRoot = headerType(to), string(to.Name), to.UniqueID, quotaRoot
	if to.ACL != "" {
		hf.ACL = to.ACL
	}
	file := hf.Append(nil)
	if err := replaceFile(p.header, file); err != nil {
		return err
	}
	modseq := m.hdr.HighestModSeq
	if to.FolderModSeq > old.FolderModSeq {
		next, err := m.store.NextFolderModSeq(to, modseq)
		if err != nil {
			return err
		}
		modseq = max(next, to.FolderModSeq)
	}
	if err := m.copyIndex(p.index, headerfile.CRC(file), modseq); err != nil {
		return err
	}
	for _, d := range p.dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// copyMessages links or copies every message that has a file.
func (m *Mailbox) copyMessages(p *paths) error {
	for recno := 1; recno <= m.table.Len(); recno++ {
		r := m.table.Raw(recno)
		if r.UID() == 0 || r.Flags()&indexfile.Unlinked != 0 {
			continue
		}
		archived := r.Flags()&indexfile.Archived != 0
		from, at := m.paths.message(r.UID(), archived), p.message(r.UID(), archived)
		err := unix.Link(from, at)
		if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM) {
			err = copyFile(from, at)
		}
		// A message without a file is one here and there.
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, ErrGone) {
			return fmt.Errorf("%s: uid %d: %w", m.Name(), r.UID(), err)
		}
	}
	return nil
}

func (m *Mailbox) copyIndex(at string, headerCRC uint32, modseq uint64) (err error) {
	h := m.hdr
	h.HeaderFileCRC, h.HighestModSeq = headerCRC, modseq
	b, err := h.AppendTo(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name(), err)
	}
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if _, err = f.Write(m.imap.b[h.StartOffset:h.FileSize()]); err != nil {
		return err
	}
	return f.Sync()
}

// IsMessageFile says whether a file of a mailbox directory is a message, and of
// which UID.
func IsMessageFile(name string) (uid uint32, ok bool) {
	digits, ok := strings.CutSuffix(filepath.Base(name), ".")
	if !ok || digits == "" || digits[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > 1<<32-1 {
			return 0, false
		}
	}
	return uint32(n), true
}
