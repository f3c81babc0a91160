package mupdateserver

import (
	"hash/maphash"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// Other processes may change the list: ctl_mboxlist, a second mupdate during a
// restart, on a unified server everybody. The list has a generation that tells;
// what it does not tell, which mailboxes, is found by comparing the list with
// what the streams have been told.

// told is what streams know of a mailbox.
type told struct {
	sum    uint64
	server string
}

var seed = maphash.MakeSeed()

// mark is what is remembered of an entry that was told.
func mark(e *mupdate.Entry) told {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteByte(byte(e.State))
	h.WriteString(e.Location)
	h.WriteByte(0)
	h.WriteString(e.ACL)
	server := e.Location
	for i := 0; i < len(server); i++ {
		if server[i] == '!' {
			server = server[:i]
			break
		}
	}
	return told{h.Sum64(), server}
}

// tell publishes a change. The caller holds mu.
func (t *table) tell(n news) {
	if t.snapshot != nil {
		if n.entry.State == mupdate.Absent {
			t.snapshot.remove(n.entry.Name)
		} else {
			t.snapshot.set(n.entry.Name, mark(&n.entry))
		}
	}
	t.changes.publish(n.from, &n.entry)
}

// open begins a stream: from now on what is told is known.
func (t *table) open(s *stream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.catchUp()
	if t.snapshot == nil {
		snapshot := newBook()
		err := eachAt(t.list, t.self, func(e mupdate.Entry) error {
			snapshot.add(e.Name.DB(), mark(&e))
			return nil
		})
		if err != nil {
			return err
		}
		t.snapshot = snapshot
	}
	t.changes.add(s)
	return nil
}

// shut ends a stream.
func (t *table) shut(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes.drop(s) {
		t.snapshot = nil
	}
}

// look publishes what other processes have changed.
func (t *table) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.catchUp()
}

// catchUp is look for a caller who holds mu.
func (t *table) catchUp() {
	gen := t.list.Generation()
	if gen != t.gen && t.strayed != nil {
		t.strayed() // a mirror tells only what is right
		t.gen = gen
		return
	}
	if gen == t.gen || t.snapshot == nil {
		t.gen = gen
		return
	}
	if err := t.compare(); err != nil {
		log.Err("DBERROR: reading the mailbox list: %v", err)
		return
	}
	t.gen = gen
}

// settled is the generation of the list, where all of it was made here.
func (t *table) settled() (gen uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gen, t.gen == t.list.Generation()
}

// compare tells the differences between the list and what was told.
func (t *table) compare() error {
	seen := map[string]struct{}{}
	err := eachAt(t.list, t.self, func(e mupdate.Entry) error {
		seen[e.Name.DB()] = struct{}{}
		was, ok := t.snapshot.get(e.Name)
		if !ok || was.sum != mark(&e).sum {
			t.tell(news{true, was.server, e})
		}
		return nil
	})
	if err != nil {
		return err
	}
	var gone []news
	t.snapshot.each(func(key string, was told) {
		if _, ok := seen[key]; ok {
			return
		}
		if name, err := mboxname.FromDB(key); err == nil {
			gone = append(gone, news{true, was.server, mupdate.Entry{Name: name}})
		}
	})
	for _, n := range gone {
		t.tell(n)
	}
	return nil
}
