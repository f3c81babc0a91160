package mupdateserver

import (
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// In a unified Murder the mailboxes of this very server are in the list that its slave
// keeps, as local ones. They are not the slave's: what the master says of them is but an
// echo of what other programs of this server have told it, or have yet to tell. Cyrus's
// slave writes them anew as mailboxes of another server, without id, and within seconds
// of its creation nobody can open a mailbox any more.

// own says whether a slave has to leave a record alone: now is what the master says, old
// the record here, nil for none.
//
// What another server has under the name of a mailbox that is here is kept in mind: when
// the one here is gone, it is put in its place (release). So is that nobody has what is on
// its way here or from here: whoever ends the move leaves a record that says where it was to
// be, and does not know. The caller holds mu.
func (t *table) own(old *mboxlist.Entry, now *mupdate.Entry, r *request) bool {
	if r.op != follow || t.self == "" {
		return false
	}
	was, told := t.withheld[now.Name]
	delete(t.withheld, now.Name)
	other := now.State != mupdate.Absent && now.Server() != t.self
	switch {
	case old == nil:
		return now.State != mupdate.Absent && !other // it is to come, or a ghost
	case old.Incoming():
		// About to be announced, or gone from where it was: whoever brings it removes it, or
		// gives it another name. Without the record nobody would find its files.
		if now.State == mupdate.Absent {
			t.withhold(now)
		}
		return !other
	case old.Is(mboxlist.FlagMoving):
		if now.State == mupdate.Absent {
			t.withhold(now)
		}
	case old.Is(mboxlist.FlagRemote):
		if !other {
			// Where it was it is no more, and here it is not: nobody can have it.
			*now = mupdate.Entry{Name: now.Name}
		}
		return false
	case now.State == mupdate.Absent:
		// Not at the start of a server that has been away, when ctl_mboxlist -m is still
		// at work: no error.
		log.Notice("local mailbox %s not in mailbox list", now.Name)
	case other && now.State == mupdate.Active && (!told || was != *now):
		log.Err("local mailbox %s wrong in mailbox list: it is on %s there", now.Name, now.Location)
	}
	if other {
		t.withhold(now)
	}
	return true
}

// withhold keeps in mind what the master says.
func (t *table) withhold(now *mupdate.Entry) {
	if t.withheld == nil {
		t.withheld = map[mboxname.Name]mupdate.Entry{}
	}
	t.withheld[now.Name] = *now
}

// arriving is the record of a mailbox that is arriving here, with what the master now says
// of the one that clients are still to use. That this one is reserved, for nobody is to use
// it at the moment, its server knows itself.
func arriving(now *mupdate.Entry, old *mboxlist.Entry) *mboxlist.Entry {
	rec := recordOf(now)
	if now.State == mupdate.Reserved {
		rec.ACL = old.ACL
	}
	rec.Type = old.Type // of what kind it is, the master does not know
	rec.UniqueID, rec.Partition, rec.EmptyPartition = old.UniqueID, old.Partition, false
	rec.UIDValidity, rec.CreatedModSeq, rec.FolderModSeq = old.UIDValidity, old.CreatedModSeq, old.FolderModSeq
	return rec
}

// forget ends what own has kept in mind: the whole list is about to come.
func (t *table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.withheld = nil
}

// kept is what own has kept in mind.
func (t *table) kept() []mupdate.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]mupdate.Entry, 0, len(t.withheld))
	for _, e := range t.withheld {
		all = append(all, e)
	}
	return all
}

// release stores what was kept in mind of mailboxes that are here no more.
func (c *copier) release() error {
	if kept := c.table.kept(); len(kept) > 0 {
		return c.apply(kept)
	}
	return nil
}
