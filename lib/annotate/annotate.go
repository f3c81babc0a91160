// Package annotate keeps annotations: values that hang on the server, on a
// mailbox or on a message, shared by all or private to one user (RFC 5464,
// RFC 5257).
//
// Two kinds of database have one form (Cyrus's imap/annotate.c):
// annotations.db for the server and all mailboxes, and cyrus.annotations in
// each mailbox's directory for its messages. A key is
//
//	SCOPE 00 ENTRY 00 USERID 00
//
// with the empty scope for the server, a mailbox's unique id, or the decimal
// UID of a message; ENTRY has no /shared or /private in front; USERID is empty
// for a shared value and [Owner] for the owner's, so that a user who is renamed
// keeps them.
//
// The package does not know which entries may be set, by whom, and to what.
package annotate

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb/kv"
)

// Owner stands in keys for the userid of the mailbox's owner.
const Owner = "[.OwNeR.]"

// ErrFormat is the error of a record that cannot be read.
var ErrFormat = errors.New("annotation record is damaged")

// Server is the scope of the server's own annotations.
const Server = ""

// Message is the scope of a message in its mailbox's database.
func Message(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }

// SpecialUse is the entry that holds the use of a mailbox (RFC 6154), a value
// such as "\Sent" private to the user whose it is.
const SpecialUse = "/specialuse"

// A Key names one value. User is the userid as it is stored: see [UserOf].
type Key struct {
	Scope, Entry, User string
}

// UserOf is how a private value of userid is keyed in a mailbox of owner.
func UserOf(userid, owner string) string {
	if userid != "" && userid == owner {
		return Owner
	}
	return userid
}

// A Value is what an annotation holds.
type Value struct {
	Data   []byte
	ModSeq uint64
	// Deleted marks the tombstone of a message's annotation, which stays until
	// the message goes so that replicas hear of it.
	Deleted bool
}

// DB is one database of annotations.
type DB struct {
	db      kv.DB
	journal change.Journal
}

// NewDB uses db.
func NewDB(db kv.DB) *DB { return &DB{db: db} }

// SetJournal has j hear of changes of a database of the server and the mailboxes. It
// is called before the first use.
func (d *DB) SetJournal(j change.Journal) { d.journal = j }

// Close gives up the database.
func (d *DB) Close() error { return d.db.Close() }

// Get returns a value; false when there is none or only its tombstone.
func (d *DB) Get(k Key) (Value, bool, error) {
	raw, err := d.db.Get(k.bytes())
	if errors.Is(err, kv.ErrNotFound) {
		return Value{}, false, nil
	}
	if err != nil {
		return Value{}, false, fmt.Errorf("annotation %s: %w", k.Entry, err)
	}
	v, err := decode(raw)
	return v, err == nil && !v.Deleted, err
}

// GetEach is Get of many keys, in few locks: fn gets the index of a key and its
// value, where there is one that can be read.
func (d *DB) GetEach(keys []Key, fn func(i int, v Value) error) error {
	raw := make([][]byte, len(keys))
	for i := range keys {
		raw[i] = keys[i].bytes()
	}
	return kv.GetEach(d.db, raw, func(i int, val []byte) error {
		v, err := decode(val)
		if err != nil || v.Deleted {
			return nil
		}
		return fn(i, v)
	})
}

// Scan calls fn for each value of a scope, tombstones too, in order of keys.
// The value's data is good until fn returns.
func (d *DB) Scan(scope string, fn func(Key, Value) error) error {
	return d.db.Scan(append([]byte(scope), 0), func(k, raw []byte) error {
		key, err := parseKey(k)
		if err != nil {
			return err
		}
		v, err := decode(raw)
		if err != nil {
			return err
		}
		return fn(key, v)
	})
}

// All is Scan over every scope.
func (d *DB) All(fn func(Key, Value) error) error {
	return d.db.Scan(nil, func(k, raw []byte) error {
		key, err := parseKey(k)
		if err != nil {
			return nil // $VERSION and the like
		}
		v, err := decode(raw)
		if err != nil {
			return err
		}
		return fn(key, v)
	})
}

// A Change sets one value; with nil Data it removes it.
type Change struct {
	Key
	Data   []byte
	ModSeq uint64
	// Tombstone keeps the record of a removed value, as message scope wants.
	Tombstone bool
}

// Apply makes all changes in one durable step.
func (d *DB) Apply(changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	if d.journal != nil {
		defer d.journal.Begin(events(changes)...)()
	}
	return d.db.Update(func(tx kv.Tx) error {
		for _, c := range changes {
			var err error
			switch {
			case c.Data == nil && !c.Tombstone:
				err = tx.Delete(c.bytes())
			default:
				err = tx.Put(c.bytes(), encode(Value{Data: c.Data, ModSeq: c.ModSeq, Deleted: c.Data == nil}))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// events are what the journal of a database of the server and the mailboxes is told.
func events(changes []Change) (list []change.Event) {
	for i := range changes {
		e := change.Event{Kind: change.MailboxAnnots, UniqueID: changes[i].Scope}
		if changes[i].Scope == Server {
			e.Kind = change.ServerAnnots
		}
		if len(list) == 0 || list[len(list)-1] != e {
			list = append(list, e)
		}
	}
	return list
}

// Drop removes every value of the scopes, which stand for mailboxes or
// messages that are gone for good.
func (d *DB) Drop(scopes ...string) error {
	if len(scopes) == 0 {
		return nil
	}
	return d.db.Update(func(tx kv.Tx) error {
		var keys [][]byte
		for _, s := range scopes {
			err := tx.Scan(append([]byte(s), 0), func(k, _ []byte) error {
				keys = append(keys, bytes.Clone(k))
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k Key) bytes() []byte {
	b := make([]byte, 0, len(k.Scope)+len(k.Entry)+len(k.User)+3)
	b = append(append(b, k.Scope...), 0)
	b = append(append(b, k.Entry...), 0)
	return append(append(b, k.User...), 0)
}

func parseKey(b []byte) (Key, error) {
	f := bytes.Split(b, []byte{0})
	// Very old writers left out the last NUL.
	if len(f) == 4 && len(f[3]) == 0 {
		f = f[:3]
	}
	if len(f) != 3 {
		return Key{}, fmt.Errorf("%w: key %q", ErrFormat, b)
	}
	return Key{string(f[0]), string(f[1]), string(f[2])}, nil
}
