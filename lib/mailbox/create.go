package mailbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// CreateOptions are what a new mailbox has that its entry does not say.
type CreateOptions struct {
	QuotaRoot     string
	Flags         []string // nil is mailbox_initial_flags
	Options       indexfile.Options
	Version       uint32 // of the index; 0 is that of new mailboxes
	HighestModSeq uint64 // 0 is the next
	// Exact takes all of the above, and what the entry says, as it is, zero and
	// nil too: another server has chosen it. An index whose HighestModSeq is 0
	// is read as one of 1.
	Exact bool
	// Replace takes the place of files that are there: those of a mailbox that
	// mailboxes.db does not have.
	Replace bool
}

// NewUniqueID is an id for a new mailbox, in the form of the Cyrus that the
// index version belongs to: 24 letters and digits of Debian's 3.6, a UUID
// (RFC 9562, version 4) from version 18 on.
func (s *Store) NewUniqueID() string {
	if s.opt.IndexVersion >= 18 {
		var b [16]byte
		rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	id := make([]byte, 0, 24)
	var b [1]byte
	for len(id) < cap(id) {
		rand.Read(b[:])
		// 252 is the largest multiple of 36: no letter is more likely.
		if b[0] < 252 {
			id = append(id, letters[b[0]%36])
		}
	}
	return string(id)
}

// Create makes the files of a mailbox. UIDValidity, CreatedModSeq and
// FolderModSeq of e are filled in where they are 0, for the entry that the
// caller stores then: mailboxes.db comes last. The user and the name lock are
// taken unless ctx has them. The error is ErrExists, ErrNotFound for an unknown
// partition, ErrBadFormat, or one of the file system.
func (s *Store) Create(ctx context.Context, e *mboxlist.Entry, o CreateOptions) (err error) {
	p, err := s.pathsOf(e)
	if err != nil {
		return err
	}
	ctx, unlock, err := s.lockBoth(ctx, e)
	if err != nil {
		return err
	}
	defer unlock()
	var made madeDirs
	for _, d := range p.dirs {
		if err := made.mkdir(d); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(p.index, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock.Wait(ctx, f, lock.Exclusive); err != nil {
		return err
	}
	if st, err := f.Stat(); err != nil {
		return err
	} else if st.Size() > 0 && !o.Replace {
		return fmt.Errorf("%s: %w", e.Name, ErrExists)
	}
	// What a delete that was killed half way left belongs to none of the new
	// mailbox's messages. Message files stay: an append replaces its own, and
	// reconstruct takes up the others.
	for _, old := range []string{p.cache, p.archCch, p.annots, p.xconv} {
		if old == "" {
			continue
		}
		if err := remove(old); err != nil {
			return err
		}
	}
	h, err := s.newHeader(e, &o)
	if err != nil {
		return err
	}
	done, err := s.Begin(e, mboxname.Name(o.QuotaRoot))
	if err != nil {
		return err
	}
	if err := s.chargeBox(o.QuotaRoot, 1); err != nil {
		return err
	}
	if err := writeNew(f, p, h, s.newHeaderFile(e, &o), made); err != nil {
		if e := s.chargeBox(o.QuotaRoot, -1); e != nil {
			return errors.Join(err, e)
		}
		done()
		return err
	}
	done()
	return nil
}

// chargeBox puts an empty mailbox on the account of a quota root, or takes it
// off.
func (s *Store) chargeBox(root string, boxes int64) error {
	if s.quota == nil {
		return nil
	}
	return s.quota.Charge(mboxname.Name(root), quota.Usage{quota.Mailbox: boxes})
}

// lockBoth takes the user and the name lock of e, exclusively.
func (s *Store) lockBoth(ctx context.Context, e *mboxlist.Entry) (context.Context, func(), error) {
	ctx, unlockUser, err := s.LockUser(ctx, e.Name.Owner())
	if err != nil {
		return ctx, nil, err
	}
	ctx, unlockName, err := s.LockName(ctx, e)
	if err != nil {
		unlockUser()
		return ctx, nil, err
	}
	return ctx, func() { unlockName(); unlockUser() }, nil
}

// newHeader is the index header of a new mailbox, and completes e.
func (s *Store) newHeader(e *mboxlist.Entry, o *CreateOptions) (*indexfile.Header, error) {
	version := o.Version
	if version == 0 {
		version = s.opt.IndexVersion
	}
	h, err := indexfile.NewHeader(version)
	if err != nil {
		return nil, err
	}
	now := uint32(time.Now().Unix())
	if o.Exact {
		h.HighestModSeq, h.UIDValidity, h.CreatedModSeq, h.ChangesEpoch = o.HighestModSeq, e.UIDValidity, e.CreatedModSeq, now
		h.Options |= o.Options
		if e.Incoming() {
			h.Options |= indexfile.OptFrozen
		}
		return h, nil
	}
	if e.UIDValidity == 0 {
		if e.UIDValidity, err = s.NextUIDValidity(e.Name.Owner(), now); err != nil {
			return nil, err
		}
	}
	h.HighestModSeq = o.HighestModSeq
	if h.HighestModSeq == 0 {
		if h.HighestModSeq, err = s.NextFolderModSeq(e, 0); err != nil {
			return nil, err
		}
	}
	if e.CreatedModSeq == 0 || e.CreatedModSeq > h.HighestModSeq {
		e.CreatedModSeq = h.HighestModSeq
	}
	if e.FolderModSeq == 0 {
		e.FolderModSeq = h.HighestModSeq
	}
	h.UIDValidity, h.CreatedModSeq, h.ChangesEpoch = e.UIDValidity, e.CreatedModSeq, now
	h.Options |= s.opt.DefaultOptions | o.Options
	return h, nil
}

func (s *Store) newHeaderFile(e *mboxlist.Entry, o *CreateOptions) *headerfile.Header {
	flags := o.Flags
	if flags == nil && !o.Exact {
		flags = s.opt.InitialFlags
	}
	return &headerfile.Header{
		Type: headerType(e), Name: string(e.Name), UniqueID: e.UniqueID,
		QuotaRoot: o.QuotaRoot, ACL: e.ACL,
		Flags: append([]string(nil), flags[:min(len(flags), indexfile.MaxUserFlags)]...),
	}
}

// writeNew writes cyrus.header and then the index, which makes it a mailbox to
// other processes. They are made durable side by side, with the directories: a
// file system with a journal has one commit of it for all. Nothing refers to the
// mailbox before mailboxes.db does, so what of them is on disk after a crash in
// the middle is the same.
func writeNew(f *os.File, p *paths, h *indexfile.Header, hf *headerfile.Header, made madeDirs) error {
	file := hf.Append(nil)
	h.HeaderFileCRC = headerfile.CRC(file)
	head, err := h.AppendTo(nil)
	if err != nil {
		return err
	}
	header, err := writeFile(p.header, file)
	if err != nil {
		return err
	}
	if err = header.rename(); err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt(head, 0)
		}
	}
	if err != nil {
		return errors.Join(err, header.f.Close())
	}
	made.holds(filepath.Dir(p.header))
	made.holds(filepath.Dir(p.index))
	startWriting(f)
	return together(append(made.syncs(), header.sync, f.Sync))
}

// startWriting has the kernel begin to write a new file, so that the file's
// blocks are allocated before a sync of something else commits the journal and
// are part of that commit. It is no more than a hint: not all file systems can.
func startWriting(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

// madeDirs are directories in which names were made that are not yet durable.
type madeDirs []string

// holds notes that a name was made in dir.
func (m *madeDirs) holds(dir string) {
	if !slices.Contains(*m, dir) {
		*m = append(*m, dir)
	}
}

// mkdir makes a directory and those above it.
func (m *madeDirs) mkdir(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	above := filepath.Dir(dir)
	switch {
	case err == nil:
		m.holds(above)
		return nil
	case errors.Is(err, unix.EEXIST):
		return nil
	case !errors.Is(err, unix.ENOENT) || above == dir:
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	if err := m.mkdir(above); err != nil {
		return err
	}
	return m.mkdir(dir)
}

// syncs are what makes the names durable.
func (m madeDirs) syncs() (tasks []func() error) {
	for _, d := range m {
		tasks = append(tasks, func() error { return syncDir(d) })
	}
	return tasks
}

// mkdirs makes a directory and those above it, durably.
func mkdirs(dir string) error {
	var made madeDirs
	if err := made.mkdir(dir); err != nil {
		return err
	}
	return together(made.syncs())
}

// headerType is the type of a mailbox in cyrus.header: what it is, not where it is going.
func headerType(e *mboxlist.Entry) string {
	return mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote)
}
