package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// A Mailbox is one mailbox as the process has it open. Its methods may be called
// from many goroutines.
type Mailbox struct {
	store *Store
	id    string
	paths *paths
	refs  int           // guarded by store.mu
	used  atomic.Uint64 // when it was used last, by store.uses

	entry atomic.Pointer[mboxlist.Entry]
	user  *fileLock
	name  *fileLock

	// The index lock: gate before the kernel's, which the first of several
	// readers takes.
	gate    gate
	turn    chan struct{}
	readers int

	// What follows is written by the holder of turn, or of the exclusive lock,
	// and read under the index lock.
	index *os.File
	dir   *os.File // of the messages, when it has been needed
	ino   inode
	named unix.Timespec // ctime of index when it was seen to have its name
	size  int64         // of the index
	imap  mapping
	raw   []byte // the header's octets as they were read
	hdr   indexfile.Header
	table indexfile.Table
	hf    *headerfile.Header
	hfIno inode
	hfCRC uint32
	crcs  indexfile.FlagCRCs
	stale bool // forget what is known of the file at the next lock

	cacheMu sync.Mutex
	caches  [2]cacheMap // spool, archive

	snapMu sync.Mutex
	snap   *UIDIndex
	gone   []uint32 // records that this process has expunged since snap
	hist   history

	queue queue
	wants atomic.Uint32 // options of the header, for who has no lock

	suspect atomic.Bool // the header does not fit the records
}

// inode tells one file from another of the same name.
type inode struct{ dev, ino uint64 }

func newMailbox(s *Store, e *mboxlist.Entry, p *paths) *Mailbox {
	m := &Mailbox{
		store: s, id: e.UniqueID, paths: p, turn: make(chan struct{}, 1),
		user: s.locks.get(s.userLock(e.Name.Owner())),
		name: s.locks.get(s.nameLock(e)),
	}
	m.queue.token = make(chan struct{}, 1)
	c := *e
	m.entry.Store(&c)
	return m
}

func (m *Mailbox) setEntry(e *mboxlist.Entry) {
	old := m.entry.Load()
	if old.Name != e.Name || old.Type != e.Type || old.UIDValidity != e.UIDValidity || old.ACL != e.ACL {
		c := *e
		m.entry.Store(&c)
	}
}

// Name is the mailbox's name as of its last Open.
func (m *Mailbox) Name() mboxname.Name { return m.entry.Load().Name }

// UniqueID never changes.
func (m *Mailbox) UniqueID() string { return m.id }

// Owner is the userid of the owner, "" of a shared mailbox.
func (m *Mailbox) Owner() string { return m.Name().Owner() }

// Entry is what the mailbox was last opened with; it must not be changed.
func (m *Mailbox) Entry() *mboxlist.Entry { return m.entry.Load() }

// Path is where a file of the mailbox is: "data" and "archive" are directories;
// "header", "index", "cache" and "annotations" are files.
func (m *Mailbox) Path(kind string) string {
	switch kind {
	case "archive":
		return m.paths.archive
	case "header":
		return m.paths.header
	case "index":
		return m.paths.index
	case "cache":
		return m.paths.cache
	case "annotations":
		return m.paths.annots
	default:
		return m.paths.data
	}
}

// Close gives up one Open. The last one removes the files of messages that are
// to go at once and repacks a mailbox that asks for it, if nobody else is in it.
func (m *Mailbox) Close() {
	m.tidy()
	m.release()
}

// drop closes what is open; nobody uses m any more.
func (m *Mailbox) drop() {
	// Another mailbox may be putting this one to rest.
	m.turn <- struct{}{}
	m.closeFiles()
	<-m.turn
	m.store.locks.put(m.user)
	m.store.locks.put(m.name)
}

func (m *Mailbox) closeFiles() {
	m.imap.unmap()
	if m.index != nil {
		m.store.asleep(m)
		m.index.Close()
		m.index = nil
	}
	if m.dir != nil {
		m.dir.Close()
		m.dir = nil
	}
	m.dropCaches()
	m.raw = nil
}

// entered is what enter took.
type entered struct {
	m          *Mailbox
	mode       lock.Mode // of the index lock
	userMode   lock.Mode
	user, name bool // taken, and not held before
}

// enter takes the three locks and brings what is known of the mailbox up to
// date. Nothing is held after an error.
func (m *Mailbox) enter(ctx context.Context, mode lock.Mode) (entered, error) {
	in := entered{m: m, mode: mode, userMode: lock.Shared}
	if mode == lock.Exclusive && m.store.opt.Conversations {
		in.userMode = lock.Exclusive
	}
	var err error
	if in.user, err = takeUnlessHeld(ctx, m.user, in.userMode); err != nil {
		return in, err
	}
	if in.name, err = takeUnlessHeld(ctx, m.name, lock.Shared); err != nil {
		in.leaveNames()
		return in, err
	}
	if err = m.lockIndex(ctx, mode); err != nil {
		in.leaveNames()
	}
	return in, err
}

// leave gives back what enter took.
func (in *entered) leave() {
	in.m.unlockIndex(in.mode)
	in.leaveNames()
}

func (in *entered) leaveNames() {
	if in.name {
		in.m.name.drop(lock.Shared)
	}
	if in.user {
		in.m.user.drop(in.userMode)
	}
}

func (m *Mailbox) lockIndex(ctx context.Context, mode lock.Mode) error {
	if err := m.gate.lock(ctx, mode); err != nil {
		return fmt.Errorf("%s: index: %w", m.Name(), err)
	}
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		m.gate.unlock(mode)
		return fmt.Errorf("%s: index: %w", m.Name(), context.Cause(ctx))
	}
	defer func() { <-m.turn }()
	m.used.Store(m.store.uses.Add(1))
	if m.readers > 0 {
		// Those who are in it have read what is known.
		if err := m.shut(ctx); err != nil {
			m.gate.unlock(mode)
			return err
		}
		m.readers++
		return nil
	}
	if err := m.lockFile(ctx, mode); err != nil {
		m.gate.unlock(mode)
		return err
	}
	if mode == lock.Shared {
		m.readers++
	}
	return nil
}

// lockFile locks the file that has the name now, and reads what has changed.
func (m *Mailbox) lockFile(ctx context.Context, mode lock.Mode) error {
	for {
		if err := m.openIndex(); err != nil {
			return err
		}
		if err := lock.Wait(ctx, m.index, mode); err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
		size, current, err := m.current()
		if err == nil && current {
			err = m.refresh(size)
			if err == nil && mode == lock.Exclusive && m.suspect.Load() {
				err = fmt.Errorf("%w: records are newer than the header", errDirty)
			}
			if errors.Is(err, errDirty) {
				err = m.recover(ctx, mode, size)
			}
			if err == nil {
				err = m.shut(ctx)
			}
			if err == nil {
				return nil
			}
		}
		_ = lock.Release(m.index)
		m.stale = true
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
		// Repacked by somebody else, or deleted.
		m.closeFiles()
	}
}

// openIndex opens cyrus.index if it is not open.
func (m *Mailbox) openIndex() error {
	if m.index != nil {
		return nil
	}
	f, err := mappedfile.OpenFile(m.paths.index, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w: %w", m.Name(), ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return &os.PathError{Op: "fstat", Path: m.paths.index, Err: err}
	}
	m.index, m.ino, m.stale = f, inode{st.Dev, st.Ino}, true
	m.store.awake(m)
	return nil
}

// current says whether the open file still has the name, and how long it is.
func (m *Mailbox) current() (size int64, ok bool, err error) {
	var st unix.Stat_t
	err = unix.Stat(m.paths.index, &st)
	if errors.Is(err, unix.ENOENT) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, &os.PathError{Op: "stat", Path: m.paths.index, Err: err}
	}
	m.size = st.Size
	return st.Size, m.ino == inode{st.Dev, st.Ino}, nil
}

func (m *Mailbox) unlockIndex(mode lock.Mode) {
	m.turn <- struct{}{}
	if mode == lock.Shared {
		m.readers--
	}
	if m.readers == 0 && m.index != nil {
		_ = lock.Release(m.index)
	}
	<-m.turn
	m.gate.unlock(mode)
}
