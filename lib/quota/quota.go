// Package quota keeps the usage and the limits of quota roots.
//
// A root is a mailbox name; a mailbox belongs to the root that its header
// names. The record of a root is one line (Cyrus's imap/quota_db.c):
//
//	%(S (86244 20000) M (83 5000) AS (101 64) NF (15) MODSEQ 115)
//
// usage and limit of storage, messages, annotation storage and mailboxes; a
// resource without limit has one number.
package quota

import (
	"errors"
	"fmt"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxname"
)

// Resource is what a limit limits (RFC 9208 section 5).
type Resource int

const (
	Storage Resource = iota
	Message
	AnnotationStorage
	Mailbox
	NumResources
)

// Names are the resources as IMAP spells them, in Cyrus's order.
var Names = [NumResources]string{"STORAGE", "MESSAGE", "ANNOTATION-STORAGE", "MAILBOX"}

// OldNames are the spellings of Cyrus up to 3.6, still understood.
var OldNames = [NumResources]string{"STORAGE", "MESSAGE", "X-ANNOTATION-STORAGE", "X-NUM-FOLDERS"}

// Unit is the size of one unit of a limit, in what Used counts: limits on
// storage are in units of 1024 octets, as SETQUOTA sends and the quota
// database stores them (RFC 9208 section 5.1); usage is in octets.
var Unit = [NumResources]int64{Storage: 1024, Message: 1, AnnotationStorage: 1024, Mailbox: 1}

// Unlimited is the limit of a resource that has none.
const Unlimited = -1

var (
	// ErrOver is the error of a change that a limit does not allow.
	ErrOver = errors.New("over quota")
	// ErrNotFound is the error of a root that does not exist.
	ErrNotFound = errors.New("quota root does not exist")
	// ErrFormat is the error of a record that cannot be read.
	ErrFormat = errors.New("quota record is damaged")
)

// Usage is an amount of each resource, or a change of it, in octets and counts.
type Usage [NumResources]int64

// IsZero reports whether u changes nothing.
func (u Usage) IsZero() bool { return u == Usage{} }

// Add returns the sum of two amounts.
func (u Usage) Add(v Usage) Usage {
	for r := range u {
		u[r] += v[r]
	}
	return u
}

// A Root is one entry of the quota database.
type Root struct {
	Name   mboxname.Name
	Used   Usage               // octets or counts
	Limit  [NumResources]int64 // units of Unit; Unlimited is no limit
	ModSeq uint64              // of a user's root: rises when usage or a limit changes

	rest  string // keys of the record that this package does not know, as text
	exact bool   // ModSeq was set: no clock is asked
	made  bool   // it is new
}

// New is a root without limits.
func New(name mboxname.Name) *Root {
	return &Root{Name: name, Limit: [NumResources]int64{Unlimited, Unlimited, Unlimited, Unlimited}}
}

// Check says whether usage of r may grow by delta octets or counts. A delta of
// zero or less always may: mail can be removed from a full mailbox, and exactly
// full is not over. The error is ErrOver, wrapped with the root and the
// numbers.
func (q *Root) Check(r Resource, delta int64) error {
	limit := q.Limit[r]
	if limit < 0 || delta <= 0 || q.Used[r]+delta <= limit*Unit[r] {
		return nil
	}
	return fmt.Errorf("quota root %s: %s: %d + %d of %d: %w", q.Name, Names[r], q.Used[r], delta, limit*Unit[r], ErrOver)
}

// CheckAll is Check for every resource of u.
func (q *Root) CheckAll(u Usage) error {
	for r := range NumResources {
		if err := q.Check(r, u[r]); err != nil {
			return err
		}
	}
	return nil
}

// DB is the database of quota roots.
type DB struct {
	db      kv.DB
	clock   Clock
	journal change.Journal
}

// A Clock gives the modseq of a root that changes, which was last before.
type Clock func(root mboxname.Name, last uint64) (uint64, error)

// NewDB uses db, whose keys are the names of roots.
func NewDB(db kv.DB) *DB {
	return &DB{db: db, clock: func(_ mboxname.Name, last uint64) (uint64, error) { return last + 1, nil }}
}

// SetClock has the modseqs of users' roots come from elsewhere: where the
// mailboxes of a user share a clock, the roots use it too. It is called before
// the first use.
func (d *DB) SetClock(c Clock) { d.clock = c }

// SetJournal has j hear of changes of limits. It is called before the first use.
func (d *DB) SetJournal(j change.Journal) { d.journal = j }

// Close gives up the database.
func (d *DB) Close() error { return d.db.Close() }

// Get returns a root or ErrNotFound.
func (d *DB) Get(name mboxname.Name) (*Root, error) {
	v, err := d.db.Get([]byte(name))
	if err != nil {
		return nil, notFound(name, err)
	}
	return parse(name, v)
}

func notFound(name mboxname.Name, err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		err = ErrNotFound
	}
	return fmt.Errorf("quota root %s: %w", name, err)
}

// Find returns the name of the root that a mailbox called name comes under:
// the deepest root that is the name or above it, or the root of its domain.
func (d *DB) Find(name mboxname.Name) (mboxname.Name, bool, error) {
	for {
		if _, err := d.db.Get([]byte(name)); err == nil {
			return name, true, nil
		} else if !errors.Is(err, kv.ErrNotFound) {
			return "", false, fmt.Errorf("quota root %s: %w", name, err)
		}
		up, ok := name.Parent()
		if !ok && name.Domain() != "" && name.Local() != "" {
			up, ok = mboxname.Name(name.Domain()+"!"), true
		}
		if !ok {
			return "", false, nil
		}
		name = up
	}
}

// Scan calls fn for each root whose name begins with prefix, which may be empty.
func (d *DB) Scan(prefix string, fn func(*Root) error) error {
	return d.db.Scan([]byte(prefix), func(k, v []byte) error {
		q, err := parse(mboxname.Name(k), v)
		if err != nil {
			return err
		}
		return fn(q)
	})
}

// Update changes an existing root. What fn did is durable on return; when fn
// returns an error nothing is changed.
func (d *DB) Update(name mboxname.Name, fn func(*Root) error) error {
	return d.change(name, false, fn)
}

// Set is Update that makes a root which does not exist.
func (d *DB) Set(name mboxname.Name, fn func(*Root) error) error {
	return d.change(name, true, fn)
}

// change updates a root, and tells the journal when it is new or its limits are not
// what they were. Their usage is for each server to count.
func (d *DB) change(name mboxname.Name, create bool, fn func(*Root) error) error {
	done := func() {}
	err := d.db.Update(func(tx kv.Tx) error {
		return d.update(tx, name, create, func(q *Root) error {
			old := q.Limit
			err := fn(q)
			if err == nil && (q.made || q.Limit != old) {
				done = change.Begin(d.journal, change.Event{Kind: change.Limits, Name: name})
			}
			return err
		})
	})
	done()
	return err
}

func (d *DB) update(tx kv.Tx, name mboxname.Name, create bool, fn func(*Root) error) error {
	v, err := tx.Get([]byte(name))
	var q *Root
	switch {
	case err == nil:
		if q, err = parse(name, v); err != nil {
			return err
		}
	case create && errors.Is(err, kv.ErrNotFound):
		q = New(name)
		q.made = true
	default:
		return notFound(name, err)
	}
	old := *q
	if err := fn(q); err != nil {
		return err
	}
	// As in Cyrus 3.10: what no client sees moves no modseq, and nobody asks
	// for that of a shared root.
	if name.IsUserTree() && !q.exact && (q.Used != old.Used || q.Limit != old.Limit) {
		if q.ModSeq, err = d.clock(name, q.ModSeq); err != nil {
			return err
		}
	}
	return tx.Put([]byte(name), q.append(nil))
}

// A lazy transaction of the database can be told that it need not survive a
// crash of the machine. Without a crash everybody sees it all the same, and after
// one either all of it is there or nothing.
type lazy interface{ Lazy() }

// Charge adds delta to the usage of a root without looking at its limits; a
// usage never falls below zero. A root that has gone is no error: there is
// nothing left to account for.
//
// A crash of the machine may undo it: the roots are then added up anew, from the
// headers of their mailboxes.
func (d *DB) Charge(name mboxname.Name, delta Usage) error { return d.charge(name, delta, false) }

func (d *DB) charge(name mboxname.Name, delta Usage, exact bool) error {
	if name == "" || delta.IsZero() {
		return nil
	}
	err := d.db.Update(func(tx kv.Tx) error {
		if l, ok := tx.(lazy); ok {
			l.Lazy()
		}
		return d.update(tx, name, false, func(q *Root) error {
			q.exact = exact
			for r := range delta {
				q.Used[r] = max(0, q.Used[r]+delta[r])
			}
			return nil
		})
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Delete removes a root; one that does not exist is no error.
func (d *DB) Delete(name mboxname.Name) error {
	defer change.Begin(d.journal, change.Event{Kind: change.Limits, Name: name})()
	return d.db.Update(func(tx kv.Tx) error { return tx.Delete([]byte(name)) })
}
