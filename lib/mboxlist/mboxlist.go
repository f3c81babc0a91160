// Package mboxlist is mailboxes.db: which mailboxes there are, where each lies,
// who may do what with it.
//
// A mailbox has a record by name (key N and the name), one by unique id (key I),
// which also knows its former names, and, where reverse ACLs are kept, one for
// each identifier that may look it up (key A). The three change together. Values
// are dlists; docs/format/mailboxes.db.md has them.
//
// The package knows no mailbox, no peer and no user: whether somebody may see a
// name is asked of the ACL by whoever asks.
package mboxlist

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/leveldb"
	"gocyrus/lib/mboxname"
)

var (
	// ErrNotFound is the error of a name or id without a record. A tombstone is
	// a record: look at Entry.Deleted.
	ErrNotFound = errors.New("mailbox does not exist")
	// ErrExists is the error of a rename onto a mailbox.
	ErrExists = errors.New("mailbox already exists")
	// ErrBadRecord is the error of a record that cannot be read.
	ErrBadRecord = errors.New("bad record in mailboxes.db")
)

// Options are what the configuration says of the list.
type Options struct {
	Path        string
	ReverseACLs bool     // for ctl_cyrusdb -r, which makes or removes the records
	Admins      []string // have no reverse ACL records
}

// OptionsFrom reads them. The format that mboxlist_db names does not matter
// here: the list is LevelDB.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Path:        cfg.Str("mboxlist_db_path"),
		ReverseACLs: cfg.Bool("reverseacls"),
		Admins:      cfg.List("admins"),
	}
	if o.Path == "" {
		o.Path = filepath.Join(cfg.Dir(), "mailboxes.db")
	}
	return o
}

// List is the open list. A process opens it once; all methods may be called
// from many goroutines.
type List struct {
	db     kv.DB
	admins map[string]bool
	now    func() time.Time
	cache  cache
}

// Open opens the list, and makes an empty one where there is none. A list that
// Cyrus left, in another format, is kv.ErrFormat: ctl_cyrusdb -r converts it.
func Open(o Options) (*List, error) {
	db, err := leveldb.Open(o.Path, kv.Create)
	if err != nil {
		return nil, err
	}
	return New(db, o), nil
}

// New is the list in db, which the list closes.
func New(db kv.DB, o Options) *List {
	l := &List{db: db, admins: map[string]bool{}, now: time.Now}
	for _, a := range o.Admins {
		l.admins[a] = true
	}
	return l
}

// Close closes the database.
func (l *List) Close() error { return l.db.Close() }

// DB is the database under the list, for tools.
func (l *List) DB() kv.DB { return l.db }

// Generation is a number that changes with every change of the list, by any
// process; 0 when the database does not count.
func (l *List) Generation() uint64 {
	if v, ok := l.db.(kv.Versioned); ok {
		return v.Generation()
	}
	return 0
}

func nameKey(n mboxname.Name) []byte { return []byte("N" + n.DB()) }
func idKey(id string) []byte         { return []byte("I" + id) }

// decode reads the value of an N record.
func decode(name mboxname.Name, val []byte) (*Entry, error) {
	e := &Entry{Name: name}
	if _, err := e.parse(val); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadRecord, name, err)
	}
	return e, nil
}

// decodeID reads the value of an I record.
func decodeID(id string, val []byte) (*Entry, error) {
	e := &Entry{UniqueID: id}
	dbname, err := e.parse(val)
	if err == nil {
		e.Name, err = mboxname.FromDB(dbname)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: id %s: %w", ErrBadRecord, id, err)
	}
	e.UniqueID = id
	return e, nil
}

// getter is a database or a transaction.
type getter interface {
	Get(key []byte) ([]byte, error)
}

func lookup(db getter, name mboxname.Name) (*Entry, error) {
	val, err := db.Get(nameKey(name))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return decode(name, val)
}

func lookupID(db getter, id string) (*Entry, error) {
	val, err := db.Get(idKey(id))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, fmt.Errorf("id %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return decodeID(id, val)
}

// Lookup returns the record of a name, the caller's own to change, without
// History.
func (l *List) Lookup(name mboxname.Name) (*Entry, error) {
	if name == "" {
		return nil, ErrNotFound
	}
	gen := l.Generation()
	if e := l.cache.get(gen, name); e != nil {
		return e, nil
	}
	e, err := lookup(l.db, name)
	if err == nil {
		l.cache.put(gen, e)
	}
	return e, err
}

// LookupID returns the record of a unique id, with History.
func (l *List) LookupID(id string) (*Entry, error) {
	if id == "" {
		return nil, ErrNotFound
	}
	return lookupID(l.db, id)
}

// Scan calls fn for each record, tombstones included, whose name in the
// spelling of the database begins with prefix, in the order of these names. An
// error of fn ends the scan and is returned, but for kv.Stop.
func (l *List) Scan(dbprefix string, fn func(View) error) error {
	return l.db.Scan([]byte("N"+dbprefix), func(k, v []byte) error { return fn(View{k, v}) })
}

// ScanFrom calls fn for each record from the name start on, in the spelling of
// the database.
func (l *List) ScanFrom(start string, fn func(View) error) error {
	return l.db.ScanFrom([]byte("N"+start), func(k, v []byte) error {
		if k[0] != 'N' {
			return kv.Stop
		}
		return fn(View{k, v})
	})
}

// ScanTree calls fn for name, if it has a record, and for all names below it.
func (l *List) ScanTree(name mboxname.Name, fn func(View) error) error {
	top := name.DB()
	return l.ScanFrom(top, func(v View) error {
		if !inTree(v.DBName(), top) {
			return kv.Stop // the separator sorts before all that can follow a name
		}
		return fn(v)
	})
}

func inTree(dbname []byte, top string) bool {
	return strings.HasPrefix(string(dbname), top) && (len(dbname) == len(top) || dbname[len(top)] == '\x1f')
}

// ScanUser calls fn for the mailboxes of a user: INBOX and all below it, and
// not the deleted ones.
func (l *List) ScanUser(userid string, fn func(View) error) error {
	return l.ScanTree(mboxname.Inbox(userid), fn)
}

// ScanReverse calls fn with the names that an identifier may look up, of users'
// mailboxes or of shared ones. ok is false, and nothing is shown, when the list
// has no complete reverse ACL records.
func (l *List) ScanReverse(identifier string, users bool, fn func(dbname []byte) error) (ok bool, err error) {
	if _, err := l.db.Get([]byte(raclMark)); err != nil {
		if errors.Is(err, kv.ErrNotFound) {
			err = nil
		}
		return false, err
	}
	prefix := raclKey(users, identifier, "")
	return true, l.db.Scan(prefix, func(k, _ []byte) error { return fn(k[len(prefix):]) })
}

// cache holds records that were read since the list last changed.
type cache struct {
	mu  sync.RWMutex
	gen uint64
	m   map[mboxname.Name]*Entry
}

// maxCached bounds the cache, in records; a full one begins anew.
const maxCached = 8192

func (c *cache) get(gen uint64, name mboxname.Name) *Entry {
	if gen == 0 {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.gen != gen {
		return nil
	}
	e := c.m[name]
	if e == nil {
		return nil
	}
	mine := *e
	return &mine
}

// put notes e, which was read when the generation was gen or later.
func (c *cache) put(gen uint64, e *Entry) {
	if gen == 0 {
		return
	}
	kept := *e
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen != gen || len(c.m) >= maxCached {
		c.gen, c.m = gen, make(map[mboxname.Name]*Entry)
	}
	// The name may be a part of a command line.
	kept.Name = mboxname.Name(strings.Clone(string(kept.Name)))
	c.m[kept.Name] = &kept
}
