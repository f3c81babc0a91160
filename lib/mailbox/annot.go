package mailbox

import (
	"errors"

	"gocyrus/lib/annotate"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/indexfile"
)

// An Annot is one annotation of a message. User is the userid as it is stored:
// annotate.UserOf.
type Annot struct {
	Entry, User string
	Data        []byte // nil removes the value
}

// annots is the annotations of a mailbox's messages, open for one batch or view.
type annots struct {
	kind        string // of a new database
	path, owner string
	db          *annotate.DB
	none        bool // no file
	changes     []annotate.Change

	// Where in changes those of a scope are, of the first so many of them: a
	// batch may have very many.
	byScope map[string][]int
	placed  int
}

func (m *Mailbox) annots() *annots {
	return &annots{kind: m.store.opt.AnnotDB, path: m.paths.annots, owner: m.Owner()}
}

// open opens the database; without create, none is set when there is none.
func (a *annots) open(create bool) error {
	if a.db != nil || a.none && !create {
		return nil
	}
	var flags kv.Flags
	if create {
		flags = kv.Create
	}
	db, err := cyrusdb.Open(a.kind, a.path, flags)
	if errors.Is(err, kv.ErrNotFound) && !create {
		a.none = true
		return nil
	}
	if err != nil {
		return err
	}
	a.db, a.none = annotate.NewDB(db), false
	return nil
}

func (a *annots) close() {
	if a.db != nil {
		// Every change was durable when it was made.
		_ = a.db.Close()
		a.db = nil
	}
}

// of calls fn for each annotation of a message that has a value, with what is
// not written yet.
func (a *annots) of(uid uint32, fn func(annotate.Key, annotate.Value) error) error {
	if err := a.open(false); err != nil {
		return err
	}
	scope := annotate.Message(uid)
	fresh := a.fresh(scope)
	for k, v := range fresh {
		if v.Deleted {
			continue
		}
		if err := fn(k, v); err != nil {
			return err
		}
	}
	if a.none {
		return nil
	}
	return a.db.Scan(scope, func(k annotate.Key, v annotate.Value) error {
		if _, changed := fresh[k]; changed || v.Deleted {
			return nil
		}
		return fn(k, v)
	})
}

// fresh are the values of a scope that are not written yet.
func (a *annots) fresh(scope string) map[annotate.Key]annotate.Value {
	for ; a.placed < len(a.changes); a.placed++ {
		if a.byScope == nil {
			a.byScope = make(map[string][]int)
		}
		at := a.changes[a.placed].Scope
		a.byScope[at] = append(a.byScope[at], a.placed)
	}
	var values map[annotate.Key]annotate.Value
	for _, i := range a.byScope[scope] {
		c := &a.changes[i]
		if values == nil {
			values = make(map[annotate.Key]annotate.Value)
		}
		values[c.Key] = annotate.Value{Data: c.Data, ModSeq: c.ModSeq, Deleted: c.Data == nil}
	}
	return values
}

// back forgets all but the first n changes.
func (a *annots) back(n int) {
	if a.placed > n {
		a.byScope, a.placed = nil, 0
	}
	a.changes = a.changes[:n]
}

// sums are what the annotations of a message add to the index header: octets,
// and the share in the CRC.
func (a *annots) sums(uid uint32) (used, crc uint32, err error) {
	err = a.of(uid, func(k annotate.Key, v annotate.Value) error {
		used += uint32(len(v.Data))
		crc ^= a.crc(uid, k.Entry, k.User, v.Data)
		return nil
	})
	return used, crc, err
}

func (a *annots) crc(uid uint32, entry, user string, data []byte) uint32 {
	if user == annotate.Owner {
		user = a.owner
	}
	return indexfile.AnnotCRC(uid, entry, user, data)
}

// apply writes what set has collected.
func (a *annots) apply() error {
	if len(a.changes) == 0 {
		return nil
	}
	if err := a.open(true); err != nil {
		return err
	}
	return a.db.Apply(a.changes...)
}

// dropAnnots removes the annotations of messages that are gone for good.
func (m *Mailbox) dropAnnots(uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	a := m.annots()
	defer a.close()
	if err := a.open(false); err != nil || a.none {
		return err
	}
	scopes := make([]string, len(uids))
	for i, uid := range uids {
		scopes[i] = annotate.Message(uid)
	}
	return a.db.Drop(scopes...)
}

// Annots are the annotations of a message. Of many messages Annotations reads
// them faster.
func (v *View) Annots(uid uint32) ([]Annot, error) {
	x := v.Annotations()
	defer x.Close()
	return x.Of(uid)
}

// SetAnnots changes annotations of the message of record recno, which gets a new
// modseq. They are written with the commit.
func (tx *Tx) SetAnnots(recno int, set []Annot) error {
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return err
	}
	if err := tx.Rewrite(recno, &r); err != nil {
		return err
	}
	return tx.b.annotate(&r, set)
}

// annotate notes annotations of a live message to be written, and counts them.
func (b *batch) annotate(r *indexfile.Record, set []Annot) error {
	for _, s := range set {
		var old annotate.Value
		found := false
		err := b.annots.of(r.UID, func(k annotate.Key, v annotate.Value) error {
			if k.Entry == s.Entry && k.User == s.User {
				old.Data, found = append([]byte{}, v.Data...), true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if r.Flags&indexfile.Expunged == 0 {
			b.count(r.UID, s, old.Data, found)
		}
		b.annots.changes = append(b.annots.changes, annotate.Change{
			Key:  annotate.Key{Scope: annotate.Message(r.UID), Entry: s.Entry, User: s.User},
			Data: s.Data, ModSeq: r.ModSeq, Tombstone: true,
		})
	}
	return nil
}

func (b *batch) count(uid uint32, s Annot, old []byte, found bool) {
	if found {
		b.hdr.AnnotUsed -= min(b.hdr.AnnotUsed, uint32(len(old)))
		b.hdr.SyncCRCAnnot ^= b.annots.crc(uid, s.Entry, s.User, old)
	}
	if s.Data != nil {
		b.hdr.AnnotUsed += uint32(len(s.Data))
		b.hdr.SyncCRCAnnot ^= b.annots.crc(uid, s.Entry, s.User, s.Data)
	}
}
