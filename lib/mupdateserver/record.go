package mupdateserver

import (
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// entryOf is what a record of mailboxes.db says in MUPDATE. A record of a local
// mailbox has a location without server.
func entryOf(e *mboxlist.Entry) mupdate.Entry {
	if e == nil {
		return mupdate.Entry{}
	}
	out := mupdate.Entry{State: mupdate.Active, Name: e.Name, Location: e.Server, ACL: e.ACL}
	switch {
	case e.Server == "":
		out.Location = e.Partition
	case e.Partition != "" || e.EmptyPartition:
		out.Location = mupdate.Location(e.Server, e.Partition)
	}
	if e.Is(mboxlist.FlagReserved) {
		out.State, out.ACL = mupdate.Reserved, ""
	}
	return out
}

// entryAt is entryOf in a unified Murder, where self is the server of what is local.
// Without one it is entryOf.
func entryAt(e *mboxlist.Entry, self string) mupdate.Entry {
	out := entryOf(e)
	if e != nil && e.Server == "" && self != "" {
		out.Location = mupdate.Location(self, e.Partition)
	}
	return out
}

// recordOf is the record of a mailbox that is on another server.
func recordOf(e *mupdate.Entry) *mboxlist.Entry {
	server, partition, has := mupdate.SplitLocation(e.Location)
	rec := &mboxlist.Entry{
		Name: e.Name, Type: mboxlist.With("e", mboxlist.FlagRemote), ACL: e.ACL,
		Server: server, Partition: partition, EmptyPartition: has && partition == "",
	}
	if e.State == mupdate.Reserved {
		rec.Type = mboxlist.With(rec.Type, mboxlist.FlagReserved)
	}
	return rec
}

// scanner reads the list in pieces, so that no reader of a session holds it open
// while a slow client takes what was read.
type scanner struct {
	list *mboxlist.List
	self string // server of what is local, in a unified Murder
	next string // where the next piece begins, in the spelling of the database
	done bool
	acl  []byte
}

// pieceSize is how many records a piece has.
const pieceSize = 2000

// piece calls fn for the next records that are mailboxes. What it is given is
// good until it returns.
func (s *scanner) piece(fn func(name []byte, r *mboxlist.Remote) error) error {
	n := 0
	s.done = true
	return s.list.ScanFrom(s.next, func(v mboxlist.View) error {
		if n == pieceSize {
			s.next, s.done = string(v.DBName()), false
			return kv.Stop
		}
		n++
		r, err := v.Remote(s.acl[:0])
		if err != nil {
			// The others are worth more than this one.
			log.Err("DBERROR: mailbox %q cannot be read: %v", v.DBName(), err)
			return nil
		}
		if cap(r.ACL) > cap(s.acl) {
			s.acl = r.ACL
		}
		if r.Is(mboxlist.FlagDeleted) || r.Is(mboxlist.FlagIntermediate) {
			return nil
		}
		return fn(v.DBName(), &r)
	})
}

// location appends the location of a record. Of a mailbox that is on its way from here
// it is here until that is decided; then its partition is not known yet, so that a resync
// has the record told what the master knows.
func (s *scanner) location(b []byte, r *mboxlist.Remote) []byte {
	if s.self != "" && r.Is(mboxlist.FlagMoving) {
		if r.Is(mboxlist.FlagRemote) {
			return append(b, r.Server...)
		}
		return append(append(append(b, s.self...), '!'), r.Partition...)
	}
	if len(r.Server) == 0 && s.self != "" {
		return append(append(append(b, s.self...), '!'), r.Partition...)
	}
	if len(r.Server) == 0 {
		return append(b, r.Partition...)
	}
	b = append(b, r.Server...)
	if r.HasPartition {
		b = append(append(b, '!'), r.Partition...)
	}
	return b
}

// each calls fn for all mailboxes.
func each(list *mboxlist.List, fn func(e mupdate.Entry) error) error { return eachAt(list, "", fn) }

// eachAt is each in a unified Murder, where self is the server of what is local.
func eachAt(list *mboxlist.List, self string, fn func(e mupdate.Entry) error) error {
	s := scanner{list: list, self: self}
	var where []byte
	places := map[string]string{}
	for !s.done {
		err := s.piece(func(dbname []byte, r *mboxlist.Remote) error {
			name, err := mboxname.FromDB(string(dbname))
			if err != nil {
				return nil // a key that is no name is no mailbox
			}
			e := mupdate.Entry{State: mupdate.Active, Name: name}
			where = s.location(where[:0], r)
			place, ok := places[string(where)]
			if !ok {
				place = string(where)
				places[place] = place
			}
			e.Location = place
			if r.Is(mboxlist.FlagReserved) {
				e.State = mupdate.Reserved
			} else {
				e.ACL = string(r.ACL)
			}
			return fn(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
