package mboxlist

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxname"
)

// Tx changes the list inside Update.
type Tx struct {
	l  *List
	tx kv.Tx

	asked, keeps bool // whether the list has reverse ACL records, once known
}

// Update runs fn; what it does to the list is seen by others all at once, and
// durable, when Update returns.
func (l *List) Update(fn func(*Tx) error) error {
	return l.db.Update(func(tx kv.Tx) error { return fn(&Tx{l: l, tx: tx}) })
}

// Lookup is List.Lookup inside the transaction.
func (t *Tx) Lookup(name mboxname.Name) (*Entry, error) { return lookup(t.tx, name) }

// LookupID is List.LookupID inside the transaction.
func (t *Tx) LookupID(id string) (*Entry, error) { return lookupID(t.tx, id) }

// ScanTree is List.ScanTree inside the transaction; fn changes nothing.
func (t *Tx) ScanTree(name mboxname.Name, fn func(View) error) error {
	top := nameKey(name)
	val, err := t.tx.Get(top)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	if err == nil {
		if err := fn(View{top, val}); err != nil {
			return kv.Scanning(err)
		}
	}
	return t.tx.Scan(append(top, '\x1f'), func(k, v []byte) error { return fn(View{k, v}) })
}

// Put stores e under its name and id. MTime 0 becomes now. A history that e
// brings is stored; without one the id keeps what it has, and when the id had
// another name until now, that name is added in front.
//
// A record of the same name and another id, a tombstone for one, is replaced;
// its id is forgotten unless it lives on under another name.
func (t *Tx) Put(e *Entry) error {
	if e.Name == "" {
		return mboxname.ErrBad
	}
	entry := *e
	if entry.MTime == 0 {
		entry.MTime = t.l.now().Unix()
	}
	if entry.Type == "" {
		entry.Type = "e"
	}
	old, err := absent(t.Lookup(entry.Name))
	if err != nil {
		return err
	}
	if err := t.reverse(old, &entry); err != nil {
		return err
	}
	if old != nil && old.UniqueID != entry.UniqueID {
		if err := t.forgetID(old); err != nil {
			return err
		}
	}
	if err := t.tx.Put(nameKey(entry.Name), entry.appendValue(nil, 'N')); err != nil {
		return err
	}
	if entry.UniqueID == "" {
		return nil
	}
	return t.putID(&entry)
}

func (t *Tx) putID(e *Entry) error {
	was, err := absent(t.LookupID(e.UniqueID))
	if err != nil {
		return err
	}
	if was != nil && was.Name != e.Name && e.Deleted() && !was.Deleted() {
		return nil // what became of the name, when the mailbox has had another one since
	}
	if was != nil && len(e.History) == 0 {
		if was.Name != e.Name {
			e.History = append([]Former{was.former()}, was.History...)
		} else {
			e.History = was.History
		}
	}
	return t.tx.Put(idKey(e.UniqueID), e.appendValue(nil, 'I'))
}

// absent turns ErrNotFound into no entry and no error.
func absent(e *Entry, err error) (*Entry, error) {
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return e, err
}

// forgetID removes the record of e's id, if it still is of e's name.
func (t *Tx) forgetID(e *Entry) error {
	if e.UniqueID == "" {
		return nil
	}
	was, err := absent(t.LookupID(e.UniqueID))
	if err != nil || was == nil || was.Name != e.Name {
		return err
	}
	return t.tx.Delete(idKey(e.UniqueID))
}

// Rename moves the record old to e, which is the mailbox under its new name: a
// tombstone remains, with e's FolderModSeq, and the id remembers the old name.
// Deleting with delay is such a rename. ErrNotFound: old has no live record;
// ErrExists: the new name has one, other than an intermediate one.
func (t *Tx) Rename(old mboxname.Name, e *Entry) error {
	was, err := t.Lookup(old)
	if err != nil {
		return err
	}
	if was.Deleted() {
		return fmt.Errorf("%s: %w", old, ErrNotFound)
	}
	there, err := absent(t.Lookup(e.Name))
	if err != nil {
		return err
	}
	if e.Name == old || there != nil && !there.Deleted() && !there.Is(FlagIntermediate) && !there.Is(FlagReserved) {
		return fmt.Errorf("%s: %w", e.Name, ErrExists)
	}
	mtime := e.MTime
	if mtime == 0 {
		mtime = t.l.now().Unix()
	}
	stone := was.tombstone(mtime)
	stone.FolderModSeq = max(was.FolderModSeq, e.FolderModSeq)
	if err := t.Put(stone); err != nil {
		return err
	}
	return t.Put(e)
}

// Delete makes a record a tombstone with the given FolderModSeq, which keeps
// name, id, UIDVALIDITY and modseqs for those who ask what became of it.
func (t *Tx) Delete(name mboxname.Name, modseq uint64) error {
	e, err := t.Lookup(name)
	if err != nil {
		return err
	}
	stone := e.tombstone(0)
	stone.FolderModSeq = max(e.FolderModSeq, modseq)
	return t.Put(stone)
}

// Remove removes a record without a trace. Its id goes with it, unless it lives
// on under another name.
func (t *Tx) Remove(name mboxname.Name) error {
	e, err := t.Lookup(name)
	if err != nil {
		return err
	}
	if err := t.reverse(e, nil); err != nil {
		return err
	}
	if err := t.forgetID(e); err != nil {
		return err
	}
	return t.tx.Delete(nameKey(name))
}

// raclMark is there when all reverse ACL records are.
const raclMark = "AS\x1e"

// raclKey is the key of a reverse ACL record: in the list of those that an
// identifier sees of users' mailboxes, or of shared ones.
func raclKey(users bool, identifier, dbname string) []byte {
	kind := "AS\x1e"
	if users {
		kind = "AU\x1e"
	}
	return []byte(kind + identifier + "\x1e" + dbname)
}

// reverse brings the reverse ACL records of a name from old to e; either may be
// nil.
func (t *Tx) reverse(old, e *Entry) error {
	if keeps, err := t.keepsReverse(); err != nil || !keeps {
		return err
	}
	have, want := t.readers(old), t.readers(e)
	for id, key := range have {
		if _, stays := want[id]; !stays {
			if err := t.tx.Delete(key); err != nil {
				return err
			}
		}
	}
	for id, key := range want {
		if _, there := have[id]; !there {
			if err := t.tx.Put(key, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepsReverse: the records are kept where they are complete, as with Cyrus;
// the option alone has ctl_cyrusdb -r make or remove them.
func (t *Tx) keepsReverse() (bool, error) {
	if t.asked {
		return t.keeps, nil
	}
	_, err := t.tx.Get([]byte(raclMark))
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return false, err
	}
	t.asked, t.keeps = true, err == nil
	return t.keeps, nil
}

// readers are the identifiers that may look e up or read it, with the keys of
// their records. Owner and admins see it without.
func (t *Tx) readers(e *Entry) map[string][]byte {
	if e == nil || e.Deleted() {
		return nil
	}
	owner := e.Name.Owner()
	keys := map[string][]byte{}
	eachACL(e.ACL, func(id, rights string) {
		if strings.ContainsAny(rights, "lr") && id != owner && !t.l.admins[id] {
			keys[id] = raclKey(owner != "", id, e.Name.DB())
		}
	})
	return keys
}

// SetReverseACLs makes or removes all reverse ACL records, when reverseacls was
// switched since. changed says whether there was anything to do.
func (l *List) SetReverseACLs(enabled bool) (changed bool, err error) {
	err = l.Update(func(t *Tx) error {
		keeps, err := t.keepsReverse()
		if err != nil || keeps == enabled {
			return err
		}
		changed = true
		if !enabled {
			return t.dropReverse()
		}
		return t.makeReverse()
	})
	return changed, err
}

func (t *Tx) dropReverse() error {
	var keys [][]byte
	err := t.tx.Scan([]byte("A"), func(k, _ []byte) error {
		keys = append(keys, append([]byte(nil), k...))
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, t.tx.Delete(k))
	}
	return err
}

func (t *Tx) makeReverse() error {
	var keys [][]byte
	err := t.tx.Scan([]byte("N"), func(k, v []byte) error {
		e, err := View{k, v}.Entry()
		if err != nil {
			return err
		}
		for _, key := range t.readers(e) {
			keys = append(keys, key)
		}
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, t.tx.Put(k, nil))
	}
	return errors.Join(err, t.tx.Put([]byte(raclMark), nil))
}
