// Package subs keeps the subscriptions of users, one database per user.
//
// Its form is that of Cyrus 3.6 and later (imap/mboxlist.c): a record that
// says version 2, then a key per mailbox, "N" and the name as mailboxes.db
// spells it, with the user's own prefix written as INBOX:
//
//	<1F>VER<1F>   2
//	NINBOX<1F>Archive
//	Nuser<1F>alice<1F>Shared with bob
//
// A file without the version record has internal names; it is read, and made
// new by the first change. Subscribed names need not exist.
package subs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxname"
)

const (
	versionKey = "\x1fVER\x1f"
	version    = "2"
	ownPrefix  = "INBOX"
)

// Store opens the databases of users.
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

// User is whose subscriptions are meant. InboxID is as for [mboxname.Layout.UserFile].
type User struct{ ID, InboxID string }

func (s *Store) with(u User, flags kv.Flags, fn func(kv.DB) error) error {
	db, err := s.open(s.layout.UserFile(u.ID, "sub", u.InboxID), flags)
	if err != nil {
		return fmt.Errorf("subscriptions of %s: %w", u.ID, err)
	}
	defer db.Close()
	return fn(db)
}

// List returns the names that u subscribed to, in the order of mailboxes.db
// with u's own first. A user without a database has none.
func (s *Store) List(u User) ([]mboxname.Name, error) {
	var names []mboxname.Name
	err := s.with(u, kv.ReadOnly, func(db kv.DB) error {
		records, err := read(db)
		_, modern := records[versionKey]
		for k := range records {
			if n, ok := fromKey(k, u.ID, modern); ok {
				names = append(names, n)
			}
		}
		return err
	})
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	own := mboxname.Inbox(u.ID)
	slices.SortFunc(names, func(a, b mboxname.Name) int {
		mineA, mineB := a == own || own.IsAncestorOf(a), b == own || own.IsAncestorOf(b)
		switch {
		case mineA && !mineB:
			return -1
		case mineB && !mineA:
			return 1
		}
		return strings.Compare(a.DB(), b.DB())
	})
	return slices.Compact(names), err
}

// Set subscribes u to a mailbox, or ends that; either way twice is once.
func (s *Store) Set(u User, name mboxname.Name, subscribed bool) error {
	defer change.Begin(s.journal, change.Event{Kind: change.Subscribed, User: u.ID, Name: name})()
	return s.with(u, kv.Create, func(db kv.DB) error {
		return db.Update(func(tx kv.Tx) error {
			if err := upgrade(tx, u.ID); err != nil {
				return err
			}
			key := toKey(name, u.ID)
			if !subscribed {
				return tx.Delete(key)
			}
			if _, err := tx.Get(key); !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			return tx.Put(key, nil)
		})
	})
}

// Replace makes names all that u is subscribed to.
func (s *Store) Replace(u User, names []mboxname.Name) error {
	had, err := s.List(u)
	if err != nil {
		return err
	}
	defer change.Begin(s.journal, differ(u, had, names)...)()
	return s.with(u, kv.Create, func(db kv.DB) error {
		return db.Update(func(tx kv.Tx) error {
			var old [][]byte
			err := tx.Scan(nil, func(k, _ []byte) error {
				old = append(old, slices.Clone(k))
				return nil
			})
			if err != nil {
				return err
			}
			for _, k := range old {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			if err := tx.Put([]byte(versionKey), []byte(version)); err != nil {
				return err
			}
			for _, n := range names {
				if err := tx.Put(toKey(n, u.ID), nil); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// differ are the subscriptions that begin or end when names take the place of had.
func differ(u User, had, names []mboxname.Name) (events []change.Event) {
	for _, pair := range [][2][]mboxname.Name{{had, names}, {names, had}} {
		for _, n := range pair[0] {
			if !slices.Contains(pair[1], n) {
				events = append(events, change.Event{Kind: change.Subscribed, User: u.ID, Name: n})
			}
		}
	}
	return events
}

type scanner interface {
	Scan(prefix []byte, fn func(k, v []byte) error) error
}

func read(db scanner) (map[string]string, error) {
	records := map[string]string{}
	err := db.Scan(nil, func(k, v []byte) error {
		records[string(k)] = string(v)
		return nil
	})
	return records, err
}

// upgrade makes the records of an old or empty database new ones.
func upgrade(tx kv.Tx, userid string) error {
	if _, err := tx.Get([]byte(versionKey)); !errors.Is(err, kv.ErrNotFound) {
		return err // nil: it is modern
	}
	records, err := read(tx)
	if err != nil {
		return err
	}
	if err := tx.Put([]byte(versionKey), []byte(version)); err != nil {
		return err
	}
	for k := range records {
		if err := tx.Delete([]byte(k)); err != nil {
			return err
		}
	}
	for k := range records {
		if n, ok := fromKey(k, userid, false); ok {
			if err := tx.Put(toKey(n, userid), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func toKey(n mboxname.Name, userid string) []byte {
	own := mboxname.Inbox(userid)
	switch {
	case n == own:
		return []byte("N" + ownPrefix)
	case own.IsAncestorOf(n):
		return []byte("N" + ownPrefix + "\x1f" + mboxname.Name(n[len(own)+1:]).DB())
	}
	return []byte("N" + n.DB())
}

// fromKey reads a key of a modern database, or of an old one, whose keys are
// internal names.
func fromKey(k, userid string, modern bool) (mboxname.Name, bool) {
	if !modern {
		return mboxname.Name(k), k != ""
	}
	db, ok := strings.CutPrefix(k, "N")
	if !ok {
		return "", false
	}
	own := mboxname.Inbox(userid)
	if db == ownPrefix {
		return own, true
	}
	if below, ok := strings.CutPrefix(db, ownPrefix+"\x1f"); ok {
		n, err := mboxname.FromDB(below)
		return own + "." + n, err == nil
	}
	n, err := mboxname.FromDB(db)
	return n, err == nil
}
