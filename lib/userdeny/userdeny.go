// Package userdeny is user_deny.db: users whom an administrator has shut out of
// services, without touching their passwords.
//
// Key is the canonical user id. The value is text in three fields:
//
//	2 TAB services TAB message
//
// services is a list of wildcard patterns between commas, "!" before one for an
// exception: the first that matches decides, so "!imap,*" leaves imap. The
// names are those of cyrus.conf's entries.
package userdeny

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
)

// DefaultMessage is what a user is told when the administrator gave no text.
const DefaultMessage = "Access to this service has been blocked"

const version = "2"

var (
	// ErrRecord is the error of a value that cannot be read.
	ErrRecord = errors.New("invalid user_deny.db record")
	// ErrService is the error of a list of services with a tab in it.
	ErrService = errors.New("invalid list of services")
)

// Options say where the database is.
type Options struct {
	Kind string // userdeny_db
	Path string // userdeny_db_path
}

// OptionsFrom reads the settings.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{Kind: cfg.Enum("userdeny_db"), Path: cfg.Str("userdeny_db_path")}
	if o.Path == "" {
		o.Path = filepath.Join(cfg.Dir(), "user_deny.db")
	}
	return o
}

// DB is the database. A file that does not exist denies nobody; it is looked
// for again at each question, for an administrator makes it when there is need.
// A DB is safe for concurrent use.
type DB struct {
	opts Options
	warn func(format string, args ...any)

	mu sync.Mutex
	db kv.DB // nil while there is no file
}

// New returns the database. warn is told of what cannot be read: a broken
// database denies nobody, as in Cyrus.
func New(o Options, warn func(format string, args ...any)) *DB {
	return &DB{opts: o, warn: warn}
}

// open returns the database; nil without error when there is none.
func (d *DB) open(flags kv.Flags) (kv.DB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db != nil {
		return d.db, nil
	}
	if _, err := os.Stat(d.opts.Path); errors.Is(err, os.ErrNotExist) && flags&kv.Create == 0 {
		return nil, nil
	}
	db, err := cyrusdb.Open(d.opts.Kind, d.opts.Path, flags)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.opts.Path, err)
	}
	d.db = db
	return db, nil
}

// Close closes the database.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		return nil
	}
	err := d.db.Close()
	d.db = nil
	return err
}

// Denied says whether user may not use service, and what to tell him.
func (d *DB) Denied(user, service string) (message string, denied bool) {
	if user == "" {
		return "", false
	}
	db, err := d.open(0)
	if db == nil {
		if err != nil {
			d.warn("DENYDB_ERROR: %v", err)
		}
		return "", false
	}
	value, err := db.Get([]byte(user))
	if errors.Is(err, kv.ErrNotFound) || err == nil && len(value) == 0 {
		return "", false
	}
	if err != nil {
		d.warn("DENYDB_ERROR: error reading entry '%s': %v", user, err)
		return "", false
	}
	rec, err := Parse(value)
	if err != nil {
		d.warn("DENYDB_ERROR: invalid entry for '%s'", user)
		return "", false
	}
	return rec.Message, rec.Covers(service)
}

// Denies is Denied without the message.
func (d *DB) Denies(user, service string) bool {
	_, denied := d.Denied(user, service)
	return denied
}

// Set denies services to user. Empty services mean all, an empty message the
// default one.
func (d *DB) Set(user, services, message string) error {
	rec := Record{Services: services, Message: message}
	value, err := rec.Bytes()
	if err != nil {
		return err
	}
	db, err := d.open(kv.Create)
	if err != nil {
		return err
	}
	return db.Update(func(tx kv.Tx) error { return tx.Put([]byte(user), value) })
}

// Delete lets user in again; one who was not denied is no error.
func (d *DB) Delete(user string) error {
	db, err := d.open(0)
	if err != nil || db == nil {
		return err
	}
	return db.Update(func(tx kv.Tx) error { return tx.Delete([]byte(user)) })
}

// Record is what is known of one user.
type Record struct {
	Services string
	Message  string
}

// Parse reads a value. The error is ErrRecord.
func Parse(value []byte) (Record, error) {
	ver, rest, ok := strings.Cut(string(value), "\t")
	if !ok || ver != version {
		return Record{}, ErrRecord
	}
	services, message, ok := strings.Cut(rest, "\t")
	if !ok {
		message = DefaultMessage
	}
	return Record{services, message}, nil
}

// Bytes returns the value. The error is ErrService.
func (r Record) Bytes() ([]byte, error) {
	if strings.Contains(r.Services, "\t") {
		return nil, ErrService
	}
	if r.Services == "" {
		r.Services = "*"
	}
	if r.Message == "" {
		r.Message = DefaultMessage
	}
	return []byte(version + "\t" + r.Services + "\t" + r.Message), nil
}

// Covers says whether the record denies a service.
func (r Record) Covers(service string) bool {
	for _, pattern := range strings.Split(r.Services, ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		if match(pattern, service) {
			return !not
		}
	}
	return false
}
