package syncclient

import (
	"errors"
	"sync"

	"gocyrus/lib/csync"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
)

// cache remembers what the replica was brought to, so that it need not be asked. It
// may be wrong: an update says what it takes for granted, and the replica refuses it
// (ErrChanged) when that is not so.
//
// The key is a mailbox name, the value its MAILBOX object without records. Changes
// are collected and written together: one that a crash loses costs a question.
// Without a database it lasts as long as the session.
type cache struct {
	db kv.DB // may be nil

	mu    sync.Mutex
	fresh map[mboxname.Name]*csync.Mailbox // nil is one to be forgotten
}

// maxRemembered bounds what is remembered without a database.
const maxRemembered = 1 << 14

// openCache opens the cache; path is empty when there is no database. One that cannot
// be opened is done without.
func openCache(kind, path string) *cache {
	c := &cache{fresh: make(map[mboxname.Name]*csync.Mailbox)}
	if path == "" {
		return c
	}
	db, err := cyrusdb.Open(kind, path, kv.Create)
	if err != nil {
		log.Err("DBERROR: failed to open sync cache %s: %v", path, err)
		return c
	}
	c.db = db
	return c
}

// renew begins with another session.
func (c *cache) renew() {
	if c.db == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(c.fresh)
	}
}

// get is what the replica had of a mailbox, nil when that is not known.
func (c *cache) get(name mboxname.Name) *csync.Mailbox {
	c.mu.Lock()
	m, ok := c.fresh[name]
	c.mu.Unlock()
	if ok || c.db == nil {
		return m
	}
	text, err := c.db.Get([]byte(name))
	if err != nil {
		if !errors.Is(err, kv.ErrNotFound) {
			log.Err("DBERROR: sync cache: %s: %v", name, err)
		}
		return nil
	}
	m, err = csync.ParseMailbox(text)
	if err != nil || m.Name != name {
		return nil
	}
	return m
}

// put notes what the replica has now.
func (c *cache) put(m *csync.Mailbox) {
	known := *m
	known.Records, known.HasRecords, known.Since = csync.Records{}, false, nil
	c.set(m.Name, &known)
}

// forget is for what the replica may have otherwise now.
func (c *cache) forget(names ...mboxname.Name) {
	for _, n := range names {
		c.set(n, nil)
	}
}

func (c *cache) set(name mboxname.Name, m *csync.Mailbox) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil && len(c.fresh) >= maxRemembered {
		clear(c.fresh)
	}
	c.fresh[name] = m
}

// flush writes what was noted.
func (c *cache) flush() {
	if c.db == nil {
		return
	}
	c.mu.Lock()
	fresh := c.fresh
	c.fresh = make(map[mboxname.Name]*csync.Mailbox)
	c.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	err := c.db.Update(func(tx kv.Tx) error {
		for name, m := range fresh {
			var err error
			if m == nil {
				err = tx.Delete([]byte(name))
			} else {
				err = tx.Put([]byte(name), m.Append(nil, csync.FromClient))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		log.Err("DBERROR: sync cache: %v", err)
	}
}

func (c *cache) close() {
	if c.db == nil {
		return
	}
	c.flush()
	if err := c.db.Close(); err != nil {
		log.Err("DBERROR: sync cache: %v", err)
	}
}
