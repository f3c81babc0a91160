package mupdateserver

import (
	"errors"
	"fmt"
	"sync"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// op is what a request does.
type op uint8

const (
	reserve op = iota
	activate
	deactivate
	remove
	follow // what a slave heard, whatever is there
)

// request is one change on its way. done is closed when err says how it went.
type request struct {
	op    op
	entry mupdate.Entry // for follow; else Name, Location and ACL count
	who   string        // for the log
	life  int64         // of a process that shares its list: see pulse
	came  int64         // when it did, there; Unix nanoseconds

	err  error
	done chan struct{}
}

// maxBatch and maxOctets bound a transaction, in requests and in what they carry.
const (
	maxBatch  = 4096
	maxOctets = 8 << 20
)

// table is the mailbox list in the hands of the one goroutine that changes it.
type table struct {
	list    *mboxlist.List
	changes *changes
	lenient bool   // mupdate_config is not standard: RESERVE and DELETE always succeed
	self    string // a unified server's own name, whose records are not a slave's

	// withheld is what a unified server's slave has heard of mailboxes that are here: see
	// own. mu guards it.
	withheld map[mboxname.Name]mupdate.Entry

	reqs  chan *request
	ended chan struct{}
	// strayed is told when somebody else has changed the list, where it is a
	// mirror; nil where it is the truth.
	strayed func()

	mu  sync.Mutex // a transaction and the telling of it
	gen uint64     // of the list, when all was told
	// snapshot is what was told, kept while somebody streams.
	snapshot *book
}

func newTable(list *mboxlist.List, c *changes, o Options) *table {
	t := &table{
		list: list, changes: c, lenient: o.Config != "standard",
		reqs: make(chan *request, maxBatch), ended: make(chan struct{}), gen: list.Generation(),
	}
	if o.Config == "unified" {
		t.self = o.ServerName
	}
	return t
}

// submit sends a request on its way; the caller waits for done.
func (t *table) submit(r *request) {
	r.done = make(chan struct{})
	t.reqs <- r
}

// close ends the table, after the last request.
func (t *table) close() {
	close(t.reqs)
	<-t.ended
}

// run commits requests, all that are there in one transaction.
func (t *table) run() {
	defer close(t.ended)
	var batch []*request
	for r := range t.reqs {
		batch = t.gather(append(batch[:0], r))
		t.commit(batch)
		for _, r := range batch {
			close(r.done)
		}
		clear(batch)
	}
}

// gather adds to batch what is there already.
func (t *table) gather(batch []*request) []*request {
	for octets := batch[0].size(); len(batch) < maxBatch && octets < maxOctets; {
		select {
		case r, ok := <-t.reqs:
			if !ok {
				return batch
			}
			batch, octets = append(batch, r), octets+r.size()
		default:
			return batch
		}
	}
	return batch
}

// size is about what the request holds, in octets.
func (r *request) size() int {
	return 128 + len(r.entry.Name) + len(r.entry.Location) + len(r.entry.ACL)
}

// errStore is the error of a change that could not be stored.
var errStore = errors.New("mailbox list cannot be written")

// commit carries requests out. When it returns they are durable, and every
// stream that flushes from now on tells of them.
func (t *table) commit(batch []*request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.catchUp()
	err := t.store(batch)
	if err == nil {
		return
	}
	log.Err("DBERROR: error updating database: %v", err)
	for i, r := range batch {
		// It may have been one of them alone that could not be stored.
		if len(batch) > 1 {
			err = t.store(batch[i : i+1])
		}
		if err != nil {
			r.err = fmt.Errorf("%w: %w", errStore, err)
		}
	}
}

// store makes a transaction of a batch, and tells of it. What other processes
// change meanwhile, the next look finds.
func (t *table) store(batch []*request) error {
	var made []news
	err := t.list.Update(func(tx *mboxlist.Tx) error {
		for _, r := range batch {
			n, err := t.apply(tx, r)
			if err != nil {
				return err
			}
			if n.changed {
				made = append(made, n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range made {
		t.tell(n)
	}
	if len(made) > 0 {
		t.gen++
	}
	return nil
}

// news is one change that was made.
type news struct {
	changed bool
	from    string // server it was on
	entry   mupdate.Entry
}

// apply carries one request out inside the transaction. What a client is told
// is in r.err; an error ends the transaction.
func (t *table) apply(tx *mboxlist.Tx, r *request) (news, error) {
	old, err := tx.Lookup(r.entry.Name)
	if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return news{}, err
	}
	if err != nil || old.Deleted() || old.Is(mboxlist.FlagIntermediate) {
		old = nil
	}
	was := entryAt(old, t.self)
	was.Name = r.entry.Name
	now, err := t.next(&was, r)
	if r.err = err; err != nil {
		return news{}, nil
	}
	if t.own(old, &now, r) || now == was {
		return news{}, nil
	}
	switch {
	case now.State == mupdate.Absent:
		err = tx.Remove(now.Name)
	case old != nil && old.Incoming():
		err = tx.Put(arriving(&now, old))
	default:
		err = tx.Put(recordOf(&now))
	}
	return news{true, was.Server(), now}, err
}

// next is what becomes of a mailbox by r. The error is for the client.
func (t *table) next(was *mupdate.Entry, r *request) (mupdate.Entry, error) {
	now := mupdate.Entry{Name: r.entry.Name}
	switch r.op {
	case reserve:
		return t.reserved(was, r)
	case activate:
		now = r.entry
		now.State, now.ACL = mupdate.Active, mboxlist.NormalACL(now.ACL)
		if was.State == mupdate.Active && was.Server() != now.Server() {
			warnMoved(was, r)
		}
	case deactivate:
		switch was.State {
		case mupdate.Absent:
			return now, mupdate.ErrNotFound
		case mupdate.Reserved:
			return now, mupdate.ErrNotActive
		}
		now.State, now.Location = mupdate.Reserved, r.entry.Location
	case remove:
		if was.State == mupdate.Absent && !t.lenient {
			return now, mupdate.ErrNotFound
		}
	case follow:
		if r.entry.State != mupdate.Absent {
			now = r.entry
			now.ACL = mboxlist.NormalACL(now.ACL)
		}
	}
	return now, nil
}

// warnMoved says loudly what the protocol allows.
func warnMoved(was *mupdate.Entry, r *request) {
	log.Warning("mailbox %s: %s activates it on %s, it was active on %s and not deactivated",
		r.entry.Name, r.who, r.entry.Location, was.Location)
}

// reserved is what RESERVE makes. It fails where another location has the name;
// at the same one it succeeds, for the replicas of a backend that share its
// servername announce everything twice.
func (t *table) reserved(was *mupdate.Entry, r *request) (mupdate.Entry, error) {
	if was.State != mupdate.Absent && was.Location != r.entry.Location && !t.lenient {
		return *was, mupdate.ErrExists
	}
	return mupdate.Entry{State: mupdate.Reserved, Name: was.Name, Location: r.entry.Location}, nil
}
