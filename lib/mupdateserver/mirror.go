package mupdateserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gocyrus/lib/etcdtable"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// mirror makes mailboxes.db what the table in etcd is, and keeps it so.
type mirror struct {
	copier
	store *etcdtable.Table
	file  string // where the position is kept

	ready  chan struct{} // closed when the mirror is right for the first time
	failed chan struct{} // closed when etcd was out of reach before that
	done   chan struct{} // closed when run has ended
	fatal  error         // why it ended before any of that
	renew  chan struct{} // a watch that may hang is to begin anew
	stray  chan struct{} // somebody else has changed the list

	joined bool // the table has been found
	whole  bool // the list is what the table was at pos; else all is to be read
	saved  time.Time
	said   string // what was logged last

	mu      sync.Mutex
	pos     etcdtable.Position // what the list has all of, 0 before that
	reached chan struct{}      // closed when pos changes
}

func newMirror(store *etcdtable.Table, t *table, list *mboxlist.List, o Options) *mirror {
	m := &mirror{
		copier: copier{t, list}, store: store, file: o.PositionFile,
		ready: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{}),
		renew: make(chan struct{}, 1), stray: make(chan struct{}, 1), reached: make(chan struct{}),
	}
	t.strayed = func() { nudge(m.stray) }
	return m
}

// nudge wakes who waits for ch, or will.
func nudge(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

var (
	errRenew      = errors.New("the watch hangs")
	errStray      = errors.New("somebody else has changed mailboxes.db, which is a mirror")
	errBehindEtcd = errors.New("the mirror does not catch up")
	errNotMirror  = errors.New("mailboxes.db is no mirror of this list")
	errBackInTime = errors.New("the list is older than its mirror, or of another etcd")
)

// failPause is how long to wait for an etcd that is not there.
const failPause = time.Second

// run follows the table until ctx ends, or until the first answer of etcd is that a
// human must decide.
func (m *mirror) run(ctx context.Context) {
	defer close(m.done)
	defer m.save()
	failed := false
	for {
		start := time.Now()
		err := m.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if m.floor() == 0 && !failed {
			if needsHuman(err) {
				m.fatal = err
				return
			}
			failed = true
			close(m.failed)
		}
		m.complain(err)
		switch {
		case errors.Is(err, errStray), errors.Is(err, etcdtable.ErrCompacted):
			m.whole = false
		case !errors.Is(err, errRenew):
			// That of a member which is gone is begun anew at once.
			select {
			case <-time.After(failPause - time.Since(start)):
			case <-ctx.Done():
				return
			}
		}
	}
}

// needsHuman says whether no time heals err.
func needsHuman(err error) bool {
	for _, e := range []error{etcdtable.ErrNoTable, etcdtable.ErrFounding, errNotMirror} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// explain adds what a human may do.
func explain(err error) error {
	switch {
	case errors.Is(err, etcdtable.ErrNoTable):
		return fmt.Errorf("%w: mupdate -e makes an empty one, mupdate -i one of what mailboxes.db has", err)
	case errors.Is(err, etcdtable.ErrFounding):
		return fmt.Errorf("%w: do mupdate -i, or -e, again", err)
	}
	return err
}

// complain logs an error, once when it comes again and again.
func (m *mirror) complain(err error) {
	if text := explain(err).Error(); text != m.said {
		m.said = text
		log.Err("mailbox list in etcd: %s", text)
	}
}

// session brings the list up to date, and follows the changes.
func (m *mirror) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.begin(ctx); err != nil {
		return err
	}
	batches, ended := make(chan etcdtable.Batch, 16), make(chan error, 1)
	from := m.floor()
	go func() {
		ended <- m.store.Watch(ctx, from, func(b etcdtable.Batch) error {
			select {
			case batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-batches:
			if err := m.take(b, batches); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-m.renew:
			return errRenew
		case <-m.stray:
			return errStray
		case <-tick.C:
			m.table.look()
		}
	}
}

// begin makes the list right, by reading all of the table where it must.
func (m *mirror) begin(ctx context.Context) error {
	mine := true // the list is a mirror, if one that is not up to date
	if !m.joined {
		head, err := m.store.Join(ctx)
		if err != nil {
			return err
		}
		m.joined = true
		last, gen := loadPosition(m.file)
		mine = same(head, last) == nil
		if mine && gen == m.list.Generation() {
			m.whole = true
			m.move(last)
		}
	}
	if !m.whole {
		if err := m.readAll(ctx, mine); err != nil {
			m.joined = m.floor() != 0
			return err
		}
		m.whole = true
	}
	select {
	case <-m.ready:
	default:
		close(m.ready)
	}
	return nil
}

// readAll makes the list what the table is, by difference. A list that is no
// mirror of this table is not made one if it has something that would be lost.
func (m *mirror) readAll(ctx context.Context, mine bool) error {
	var remote []keyed
	p, err := m.store.Read(ctx, func(key string, e mupdate.Entry) { remote = append(remote, keyed{key, e}) })
	if err != nil {
		return err
	}
	if !mine {
		if err := m.wouldLose(remote); err != nil {
			return err
		}
	}
	if err := m.resync(remote); err != nil {
		return err
	}
	log.Notice("mailbox list read from etcd: %d mailboxes", len(remote))
	m.move(p)
	m.save()
	return nil
}

// wouldLose is errNotMirror where the list has a mailbox that the table has not.
func (m *mirror) wouldLose(remote []keyed) error {
	has := make(map[string]bool, len(remote))
	for i := range remote {
		has[remote[i].key] = true
	}
	var first mupdate.Entry
	lost := 0
	err := each(m.list, func(e mupdate.Entry) error {
		if !has[e.Name.DB()] {
			if lost++; lost == 1 {
				first = e
			}
		}
		return nil
	})
	if err != nil || lost == 0 {
		return err
	}
	return fmt.Errorf("%w: %d of its mailboxes are not there, the first of them %s. Remove mailboxes.db if etcd is right; "+
		"else have another mupdate_etcd_prefix and found a list there with mupdate -i", errNotMirror, lost, first.Name)
}

// take applies a batch, and those that are there behind it.
func (m *mirror) take(b etcdtable.Batch, more <-chan etcdtable.Batch) error {
	for len(b.Entries) < maxEvents {
		select {
		case next := <-more:
			b.Entries, b.Revision = append(b.Entries, next.Entries...), next.Revision
			continue
		default:
		}
		break
	}
	if err := m.apply(b.Entries); err != nil {
		return err
	}
	p := m.position()
	p.Revision = b.Revision
	m.move(p)
	m.said = ""
	if time.Since(m.saved) > saveEvery {
		m.save()
	}
	return nil
}

func (m *mirror) position() etcdtable.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pos
}

// floor is the revision that the list has all of, 0 before it has anything.
func (m *mirror) floor() int64 { return m.position().Revision }

// move says what the list has all of now.
func (m *mirror) move(p etcdtable.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pos = p
	close(m.reached)
	m.reached = make(chan struct{})
}

// hang is how long a change may take from etcd to the list, before the watch is
// begun anew at another member.
const hang = time.Second

// wait waits until the list has all up to a revision; the error is errBehindEtcd
// when it has not in time.
func (m *mirror) wait(ctx context.Context, rev int64, limit time.Duration) error {
	late := time.NewTimer(limit)
	defer late.Stop()
	slow := time.NewTimer(hang)
	defer slow.Stop()
	for {
		m.mu.Lock()
		has, reached := m.pos.Revision >= rev, m.reached
		m.mu.Unlock()
		if has {
			return nil
		}
		select {
		case <-reached:
		case <-slow.C:
			nudge(m.renew)
		case <-late.C:
			return errBehindEtcd
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// same is errBackInTime unless now can be what became of before.
func same(now, before etcdtable.Position) error {
	if now.ID == before.ID && now.Cluster == before.Cluster && now.Now >= before.Revision {
		return nil
	}
	return fmt.Errorf("%w: %d of %x, was %d of %x", errBackInTime, now.Now, now.Cluster, before.Revision, before.Cluster)
}
