// Package seen keeps what users have seen of mailboxes that are not their own,
// one database per user.
//
// The key is the mailbox's unique id, the value one line (Cyrus's
// imap/seen_db.c, version 1):
//
//	1 LASTREAD LASTUID LASTCHANGE UIDS
//
// times in seconds UTC, and the seen messages as a set of UIDs like "2,4:9",
// which may be empty and may cover UIDs that do not exist.
package seen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxname"
)

// ErrFormat is the error of a record that cannot be read.
var ErrFormat = errors.New("seen record is damaged")

// A Record is what one user has seen of one mailbox. The zero Record is that
// of a user who never looked.
type Record struct {
	LastRead   uint32 // when the user last selected the mailbox
	LastUID    uint32 // highest UID the user was told of; what is above is \Recent
	LastChange uint32 // when UIDs last changed
	UIDs       string
}

// Store finds the databases of users.
type Store struct {
	layout  *mboxname.Layout
	open    func(path string, flags kv.Flags) (kv.DB, error)
	journal change.Journal
}

// New is a store whose databases lie where layout says and are opened by open,
// which knows the engine.
func New(layout *mboxname.Layout, open func(path string, flags kv.Flags) (kv.DB, error)) *Store {
	return &Store{layout: layout, open: open}
}

// SetJournal has j hear of changes. It is called before the first use.
func (s *Store) SetJournal(j change.Journal) { s.journal = j }

// For is the database of a user; inboxID is as for [mboxname.Layout.UserFile].
// Nothing is opened until it is used, nor kept open after.
func (s *Store) For(userid, inboxID string) *DB {
	return &DB{s, userid, s.layout.UserFile(userid, "seen", inboxID)}
}

// DB is the database of one user.
type DB struct {
	store *Store
	user  string
	path  string
}

// begin tells of a change of the record of a mailbox.
func (d *DB) begin(uniqueID string) (done func()) {
	return change.Begin(d.store.journal, change.Event{Kind: change.SeenBy, User: d.user, UniqueID: uniqueID})
}

func (d *DB) with(flags kv.Flags, fn func(kv.DB) error) error {
	db, err := d.store.open(d.path, flags)
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(db)
}

// Get returns the record of a mailbox, the zero one when there is none.
func (d *DB) Get(uniqueID string) (r Record, err error) {
	err = d.with(kv.ReadOnly, func(db kv.DB) error {
		v, err := db.Get([]byte(uniqueID))
		if err == nil {
			r, err = parse(string(v))
		}
		return err
	})
	if errors.Is(err, kv.ErrNotFound) {
		err = nil
	}
	return r, err
}

// Put makes a record durable.
func (d *DB) Put(uniqueID string, r Record) error {
	defer d.begin(uniqueID)()
	return d.with(kv.Create, func(db kv.DB) error {
		return db.Update(func(tx kv.Tx) error { return tx.Put([]byte(uniqueID), []byte(r.String())) })
	})
}

// Delete removes the record of a mailbox.
func (d *DB) Delete(uniqueID string) error {
	defer d.begin(uniqueID)()
	err := d.with(0, func(db kv.DB) error {
		return db.Update(func(tx kv.Tx) error { return tx.Delete([]byte(uniqueID)) })
	})
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	return err
}

// Scan calls fn for each record.
func (d *DB) Scan(fn func(uniqueID string, r Record) error) error {
	err := d.with(kv.ReadOnly, func(db kv.DB) error {
		return db.Scan(nil, func(k, v []byte) error {
			r, err := parse(string(v))
			if err != nil {
				return err
			}
			return fn(string(k), r)
		})
	})
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	return err
}

// String is r as the database holds it.
func (r Record) String() string {
	return fmt.Sprintf("1 %d %d %d %s", r.LastRead, r.LastUID, r.LastChange, r.UIDs)
}

func parse(s string) (Record, error) {
	f := strings.SplitN(s, " ", 5)
	bad := fmt.Errorf("%w: %.64q", ErrFormat, s)
	if len(f) < 4 || f[0] != "1" {
		return Record{}, bad
	}
	var r Record
	for i, p := range []*uint32{&r.LastRead, &r.LastUID, &r.LastChange} {
		n, err := strconv.ParseUint(f[i+1], 10, 32)
		if err != nil {
			return Record{}, bad
		}
		*p = uint32(n)
	}
	if len(f) == 5 {
		r.UIDs = strings.TrimRight(f[4], " ")
	}
	return r, nil
}
