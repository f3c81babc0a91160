package repair

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gocyrus/lib/annotate"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/indexfile"
)

const vendor = "/vendor/cmu/cyrus-imapd/"

// folded are the annotations that are fields of the record from a version on.
var folded = []struct {
	entry, word string
	since       uint32
}{
	{vendor + "thrid", "thrid", 13},
	{vendor + "savedate", "savedate", 15},
	{vendor + "createdmodseq", "createdmodseq", 16},
}

// annots is what the annotations of one message add up to.
type annots struct {
	used, crc uint32
	snoozed   bool
	stale     []annotate.Key // folded ones, which the record has itself
	seen      bool           // there is a record of the message
}

// openAnnotations opens cyrus.annotations; nil is that there is none.
func (j *job) openAnnotations() (*annotate.DB, error) {
	db, err := cyrusdb.Open(j.site.Mailboxes.Options().AnnotDB, j.p.annots, 0)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return annotate.NewDB(db), nil
}

// readAnnotations adds up the annotations of each message.
func (j *job) readAnnotations() error {
	db, err := j.openAnnotations()
	if db == nil || err != nil {
		return err
	}
	err = db.All(func(k annotate.Key, v annotate.Value) error {
		n, err := strconv.ParseUint(k.Scope, 10, 32)
		if err != nil {
			return nil //nolint:nilerr // not of a message: not ours to judge
		}
		uid := uint32(n)
		a := j.annots[uid]
		if a == nil {
			a = new(annots)
			j.annots[uid] = a
		}
		if !v.Deleted {
			j.addAnnotation(a, uid, k, v.Data)
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

func (j *job) addAnnotation(a *annots, uid uint32, k annotate.Key, data []byte) {
	for _, f := range folded {
		if k.Entry == f.entry && k.User == "" && j.hdr.Version >= f.since {
			a.stale = append(a.stale, k)
			return
		}
	}
	if k.Entry == vendor+"snoozed" && k.User == "" && len(data) > 0 {
		a.snoozed = true
	}
	user := k.User
	if user == annotate.Owner {
		user = j.e.Name.Owner()
	}
	a.used += uint32(len(data))
	a.crc ^= indexfile.AnnotCRC(uid, k.Entry, user, data)
}

// ownAnnotations are the octets of the annotations of the mailbox itself.
func (j *job) ownAnnotations() (used uint32, err error) {
	err = j.site.Annotations.Scan(j.e.UniqueID, func(_ annotate.Key, v annotate.Value) error {
		if !v.Deleted {
			used += uint32(len(v.Data))
		}
		return nil
	})
	return used, err
}

// annotsOf is the annotations of a message that has a record, with the stale
// ones reported.
func (j *job) annotsOf(uid uint32) *annots {
	a := j.annots[uid]
	if a == nil {
		return &annots{}
	}
	a.seen = true
	for _, k := range a.stale {
		word := k.Entry[len(vendor):]
		j.find(Annotation, uid, "removing stale %s for %d", word, uid)
		j.dirty = true
	}
	return a
}

// staleAnnotations finds the annotations of messages that have no record.
func (j *job) staleAnnotations() {
	for uid, a := range j.annots {
		if !a.seen {
			j.drop = append(j.drop, uid)
		}
	}
	slices.Sort(j.drop)
	for _, uid := range j.drop {
		j.find(Annotation, uid, "removing stale annotations for %d", uid)
		j.dirty = true
	}
}

// removeAnnotations removes what was found to be stale.
func (j *job) removeAnnotations() error {
	var changes []annotate.Change
	for _, a := range j.annots {
		for _, k := range a.stale {
			if a.seen {
				changes = append(changes, annotate.Change{Key: k})
			}
		}
	}
	if len(changes) == 0 && len(j.drop) == 0 {
		return nil
	}
	slices.SortFunc(changes, func(a, b annotate.Change) int {
		return bytes.Compare([]byte(a.Scope+a.Entry), []byte(b.Scope+b.Entry))
	})
	db, err := j.openAnnotations()
	if db == nil || err != nil {
		return err
	}
	scopes := make([]string, len(j.drop))
	for i, uid := range j.drop {
		scopes[i] = annotate.Message(uid)
	}
	err = db.Apply(changes...)
	if err == nil {
		err = db.Drop(scopes...)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("annotations: %w", err)
	}
	return nil
}
