package mailbox

import (
	"bytes"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxlist"
)

// Known is the index header, had without a lock: what the last holder of one
// read is what the file still says, or somebody in this process reads the
// mailbox just now. It is a state that was committed, and no change that was
// acknowledged before the call is missing from it. Otherwise ok is false, and a
// View tells.
func (m *Mailbox) Known() (h indexfile.Header, ok bool) {
	if m.suspect.Load() || !m.gate.try(lock.Shared) {
		return h, false
	}
	defer m.gate.unlock(lock.Shared)
	select {
	case m.turn <- struct{}{}:
	default:
		return h, false
	}
	defer func() { <-m.turn }()
	if m.readers == 0 {
		err := m.guard(func() error {
			ok = m.unchanged()
			return nil
		})
		if err != nil || !ok {
			return h, false
		}
	}
	if m.hdr.Options&indexfile.OptFrozen != 0 {
		return h, false
	}
	m.used.Store(m.store.uses.Add(1))
	return m.hdr, true
}

// unchanged says whether the file that has the name is the open one, with the
// header that was read last under a lock. The caller has the turn, and this
// process has nobody in the mailbox.
func (m *Mailbox) unchanged() bool {
	if m.index == nil || m.stale || len(m.raw) == 0 {
		return false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(m.index.Fd()), &st); err != nil || st.Size < int64(len(m.raw)) {
		return false
	}
	// Whatever gives the name to another file takes it from this one, and that
	// is a change of the inode.
	if st.Nlink != 1 || st.Ctim != m.named {
		size, current, err := m.current()
		if err != nil || !current || size != st.Size {
			return false
		}
		m.named = st.Ctim
	}
	return bytes.Equal(m.raw, m.imap.b[:len(m.raw)])
}

// Known is Mailbox.Known of a mailbox that this process has or had open; without
// it ok is false.
func (s *Store) Known(e *mboxlist.Entry) (h indexfile.Header, ok bool) {
	s.mu.Lock()
	m := s.open[e.UniqueID]
	if m == nil || !m.sameEntry(e) {
		s.mu.Unlock()
		return h, false
	}
	if m.refs == 0 {
		s.forget(m)
	}
	m.refs++
	s.mu.Unlock()
	defer m.release()
	return m.Known()
}

// sameEntry says whether m was opened with what e says.
func (m *Mailbox) sameEntry(e *mboxlist.Entry) bool {
	old := m.entry.Load()
	return old.Name == e.Name && old.Type == e.Type && old.Partition == e.Partition &&
		old.UIDValidity == e.UIDValidity && old.ACL == e.ACL
}
