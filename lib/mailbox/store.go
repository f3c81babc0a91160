package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"gocyrus/lib/change"
	"gocyrus/lib/inflight"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
)

// A Store is all mailboxes as one process has them open.
type Store struct {
	opt   Options
	list  *mboxlist.List // nil finds no INBOX: files of users are found by name
	quota *quota.DB      // nil keeps no account
	sinks []change.Sink
	locks locks
	notes *inflight.Log // of changes of quota; see Recover

	mu   sync.Mutex
	open map[string]*Mailbox // by unique id
	idle []*Mailbox          // closed by all, kept mapped; oldest first

	uses     atomic.Uint64 // counts uses of mailboxes
	activeMu sync.Mutex
	active   map[*Mailbox]struct{} // those whose files are open
}

// NewStore is a store of the mailboxes that o describes. list is asked where a
// user's files are; it and q may be nil, in tests and tools.
func NewStore(o Options, list *mboxlist.List, q *quota.DB, sinks ...change.Sink) *Store {
	if o.KeepOpen <= 0 {
		o.KeepOpen = defaultKeepOpen
	}
	if o.Parse == (message.Options{}) {
		o.Parse = message.DefaultOptions()
	}
	if o.AnnotDB == "" {
		o.AnnotDB = "twoskip"
	}
	if o.MaxActive <= 0 {
		o.MaxActive = activeLimit()
	}
	s := &Store{
		opt: o, list: list, quota: q, sinks: sinks,
		open: make(map[string]*Mailbox), active: make(map[*Mailbox]struct{}),
	}
	s.notes = inflight.New(s.notesDir())
	if q != nil && o.Conversations {
		q.SetClock(s.nextQuotaModSeq)
	}
	return s
}

// Options are the options that the store was made with.
func (s *Store) Options() *Options { return &s.opt }

// Open opens the mailbox of e, which must be a local one that is no tombstone.
// All who open it share one Mailbox; each has to Close it. The error is
// ErrNotFound, ErrBadFormat, ErrCorrupt or one of the file system.
func (s *Store) Open(ctx context.Context, e *mboxlist.Entry) (*Mailbox, error) {
	m, err := s.get(e)
	if err != nil {
		return nil, err
	}
	// Look at it once: whoever has it open knows that it can be read.
	if err := m.View(As(ctx, e), func(*View) error { return nil }); err != nil {
		m.release()
		return nil, err
	}
	return m, nil
}

// get finds or makes the Mailbox of e and counts a user of it.
func (s *Store) get(e *mboxlist.Entry) (*Mailbox, error) {
	p, err := s.pathsOf(e)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.open[e.UniqueID]
	if m != nil && (m.paths.index != p.index || m.user.path != s.userLock(e.Name.Owner())) {
		// It was moved, and who has the old one open loses it; or it has
		// another owner, whose lock it is that counts now.
		delete(s.open, e.UniqueID)
		if s.forget(m); m.refs == 0 {
			m.drop()
		}
		m = nil
	}
	if m == nil {
		m = newMailbox(s, e, p)
		s.open[e.UniqueID] = m
	}
	if m.refs == 0 {
		s.forget(m)
	}
	m.refs++
	m.setEntry(e)
	return m, nil
}

// forget takes m from the idle ones.
func (s *Store) forget(m *Mailbox) {
	for i, o := range s.idle {
		if o == m {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			return
		}
	}
}

// Close drops all that is kept open. Mailboxes still in use are dropped at
// their own Close.
func (s *Store) Close() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.opt.KeepOpen = nil, 0
	for _, m := range idle {
		delete(s.open, m.id)
	}
	s.mu.Unlock()
	for _, m := range idle {
		m.drop()
	}
	if err := s.notes.Close(); err != nil {
		log.Err("IOERROR: closing the notes of this process: %v", err)
	}
}

// release is Close of a mailbox: the last one leaves it idle, and the oldest
// idle one beyond the bound is dropped.
func (m *Mailbox) release() {
	s := m.store
	var old *Mailbox
	s.mu.Lock()
	if m.refs--; m.refs == 0 {
		switch {
		case s.open[m.id] != m: // moved away
			old = m
		case s.opt.KeepOpen == 0:
			delete(s.open, m.id)
			old = m
		default:
			s.idle = append(s.idle, m)
			if len(s.idle) > s.opt.KeepOpen {
				old = s.idle[0]
				s.idle = s.idle[1:]
				delete(s.open, old.id)
			}
		}
	}
	s.mu.Unlock()
	if old != nil {
		old.drop()
	}
}

// held marks a context whose bearer has a lock already: an operation on several
// stores takes the user and name locks once, for all of its steps.
type held struct{ l *fileLock }

// LockUser takes the lock of a user, or of all shared mailboxes when userid is
// empty, exclusively: for what changes more than the content of one mailbox. The
// context it returns is to be used for all that is done under the lock; unlock
// gives it back.
func (s *Store) LockUser(ctx context.Context, userid string) (_ context.Context, unlock func(), err error) {
	return s.hold(ctx, s.userLock(userid), lock.Exclusive)
}

// LockName takes the name lock of a mailbox exclusively: nobody has its files
// open meanwhile. The user lock comes first. See LockUser.
func (s *Store) LockName(ctx context.Context, e *mboxlist.Entry) (_ context.Context, unlock func(), err error) {
	return s.hold(ctx, s.nameLock(e), lock.Exclusive)
}

func (s *Store) hold(ctx context.Context, path string, m lock.Mode) (context.Context, func(), error) {
	l := s.locks.get(path)
	if ctx.Value(held{l}) != nil {
		return ctx, func() { s.locks.put(l) }, nil
	}
	if err := l.take(ctx, m); err != nil {
		s.locks.put(l)
		return ctx, nil, fmt.Errorf("lock: %w", err)
	}
	unlock := func() {
		l.drop(m)
		s.locks.put(l)
	}
	return context.WithValue(ctx, held{l}, true), unlock, nil
}

// takeUnlessHeld takes l, unless ctx says that it is held already.
func takeUnlessHeld(ctx context.Context, l *fileLock, m lock.Mode) (taken bool, err error) {
	if ctx.Value(held{l}) != nil {
		return false, nil
	}
	err = l.take(ctx, m)
	return err == nil, err
}

// SetACL replaces the access list in cyrus.header. The caller has stored the
// entry.
func (s *Store) SetACL(ctx context.Context, e *mboxlist.Entry, list string) error {
	return s.update(ctx, e, func(tx *Tx) { tx.SetACL(list) })
}

// SetQuotaRoot moves a mailbox to another quota root; "" is none. What it uses
// is taken along.
func (s *Store) SetQuotaRoot(ctx context.Context, e *mboxlist.Entry, root string) error {
	return s.update(ctx, e, func(tx *Tx) { tx.SetQuotaRoot(root) })
}

func (s *Store) update(ctx context.Context, e *mboxlist.Entry, fn func(*Tx)) error {
	return s.Update(ctx, e, func(tx *Tx) error { fn(tx); return nil })
}

// Update is Open, Mailbox.Update and Close in one, with the locks taken once.
func (s *Store) Update(ctx context.Context, e *mboxlist.Entry, fn func(tx *Tx) error) error {
	m, err := s.get(e)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Update(As(ctx, e), fn)
}

// View is Open, Mailbox.View and Close in one, with the locks taken once.
func (s *Store) View(ctx context.Context, e *mboxlist.Entry, fn func(v *View) error) error {
	m, err := s.get(e)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.View(As(ctx, e), fn)
}
