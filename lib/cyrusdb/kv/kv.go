// Package kv is what the database engines of cyrusdb have in common: ordered
// keys, values of any octets, one writer at a time, atomic durable updates.
//
// It holds no engine. A package that stores something takes a DB, so its tests
// run on whichever engine is handy.
package kv

import "errors"

var (
	// ErrNotFound is the error of a Get whose key is not there, and of an Open
	// without Create whose file is not there.
	ErrNotFound = errors.New("not found")
	// ErrFormat is the error of an Open whose file belongs to another engine.
	ErrFormat = errors.New("not a database of this kind")
	// ErrCorrupt is the error of a file that says of itself what cannot be.
	ErrCorrupt = errors.New("database is damaged")
	// ErrReadOnly is the error of a change to a database that is only read.
	ErrReadOnly = errors.New("database is read-only")
	// ErrClosed is the error of any use after Close.
	ErrClosed = errors.New("database is closed")
	// ErrTooLarge is the error of a key or value an engine cannot hold.
	ErrTooLarge = errors.New("key or value too large")
	// Stop, returned by the function of a Scan, ends the scan without error.
	//lint:ignore ST1012 it is no failure, as fs.SkipAll is none
	Stop = errors.New("stop")
)

// Flags say how a database is opened.
type Flags uint

const (
	// Create makes the database, and directories above it, when it is not there.
	Create Flags = 1 << iota
	// ReadOnly refuses changes, and mends nothing that the opening finds broken.
	ReadOnly
)

// DB is an open database. Its methods may be called from many goroutines.
type DB interface {
	// Get returns the value of key, which the caller may keep, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Scan calls fn for each record whose key begins with prefix, in the
	// engine's order. The slices are good until fn returns. An error of fn
	// ends the scan and is returned, but for Stop. fn may read the database
	// and may not Update it.
	Scan(prefix []byte, fn func(k, v []byte) error) error
	// ScanFrom is Scan over all records from the first key not less than start.
	ScanFrom(start []byte, fn func(k, v []byte) error) error
	// Update runs fn and makes what it changed durable in one step: on return
	// without error every process sees all of it, and it survives a crash of
	// the machine; with an error nothing was changed. Two updates never run at
	// the same time.
	Update(fn func(Tx) error) error
	// Close gives up the handle. Records already acknowledged are safe without.
	Close() error
}

// Tx is a transaction in the hands of the function given to Update; it is of
// no use afterwards. Get and Scan see what Put and Delete of the same Tx did.
type Tx interface {
	Get(key []byte) ([]byte, error)
	// Scan is DB.Scan inside the transaction; fn must not change anything.
	Scan(prefix []byte, fn func(k, v []byte) error) error
	// Put sets the value of key. It keeps neither slice.
	Put(k, v []byte) error
	// Delete removes key; removing what is not there is no error.
	Delete(k []byte) error
}

// Versioned is a DB that knows a number which changes with every update of any
// process: as long as it stands still, what was read is still true.
type Versioned interface {
	Generation() uint64
}

// Scanning turns what fn made of a scan into what Scan returns.
func Scanning(err error) error {
	if errors.Is(err, Stop) {
		return nil
	}
	return err
}

// Count returns the number of records that begin with prefix.
func Count(db DB, prefix []byte) (n int, err error) {
	err = db.Scan(prefix, func(_, _ []byte) error { n++; return nil })
	return n, err
}

// Copy writes every record of src to dst in one transaction.
func Copy(dst, src DB) (n int, err error) {
	err = dst.Update(func(tx Tx) error {
		return src.Scan(nil, func(k, v []byte) error {
			n++
			return tx.Put(k, v)
		})
	})
	return n, err
}
