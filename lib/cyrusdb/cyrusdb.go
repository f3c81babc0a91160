// Package cyrusdb opens a database by the name of its engine, finds out which
// engine a file belongs to, and turns one into another.
//
// The engines are lib/cyrusdb/{leveldb,twoskip,skiplist,flat,quotalegacy}; what
// they have in common is lib/cyrusdb/kv. An option such as seenstate_db names
// the engine of new files; a file that exists keeps the one it has until
// ctl_cyrusdb -r converts it.
package cyrusdb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/cyrusdb/flat"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/leveldb"
	"gocyrus/lib/cyrusdb/quotalegacy"
	"gocyrus/lib/cyrusdb/skiplist"
	"gocyrus/lib/cyrusdb/twoskip"
)

// Flags of Open, as kv has them.
const (
	Create   = kv.Create
	ReadOnly = kv.ReadOnly
)

// ErrKind is the error of an engine that is not built in.
var ErrKind = errors.New("not supported")

// engines are all kinds, in the order in which Cyrus lists its own.
var engines = []struct {
	kind string
	open func(path string, flags kv.Flags) (kv.DB, error)
}{
	{"flat", func(p string, f kv.Flags) (kv.DB, error) { return done(flat.Open(p, f)) }},
	{"skiplist", func(p string, f kv.Flags) (kv.DB, error) { return done(skiplist.Open(p, f)) }},
	{"quotalegacy", func(p string, f kv.Flags) (kv.DB, error) { return done(quotalegacy.Open(p, f)) }},
	{"twoskip", func(p string, f kv.Flags) (kv.DB, error) { return done(twoskip.Open(p, f)) }},
	{"leveldb", func(p string, f kv.Flags) (kv.DB, error) { return done(leveldb.Open(p, f)) }},
}

// done makes a nil pointer, of a failed Open, a nil interface.
func done[T kv.DB](db T, err error) (kv.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Kinds are the names of all engines.
func Kinds() []string {
	var names []string
	for _, e := range engines {
		names = append(names, e.kind)
	}
	return names
}

// Known says whether kind is an engine's name. The old ending "-nosync" is
// allowed, and means nothing.
func Known(kind string) bool { return openerOf(kind) != nil }

func openerOf(kind string) func(string, kv.Flags) (kv.DB, error) {
	kind = strings.TrimSuffix(kind, "-nosync")
	for _, e := range engines {
		if e.kind == kind {
			return e.open
		}
	}
	return nil
}

// Open opens the database path with the engine it really has, and a new one
// with kind. ErrKind: there is no such engine, here or for this file.
func Open(kind, path string, flags kv.Flags) (kv.DB, error) {
	open := openerOf(kind)
	if open == nil {
		return nil, fmt.Errorf("cyrusdb backend %s %w", kind, ErrKind)
	}
	real, err := Detect(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	case real != "" && real != kind:
		if open = openerOf(real); open == nil {
			return nil, fmt.Errorf("open %s: cyrusdb backend %s %w; convert the file with cvt_cyrusdb of Cyrus first", path, real, ErrKind)
		}
	case real == "" && kind == "skiplist" && flags&kv.Create != 0:
		return nil, fmt.Errorf("create %s: skiplist is only read: %w", path, kv.ErrReadOnly)
	}
	return open(path, flags)
}

// magics are what files of each engine begin with.
var magics = []struct{ magic, kind string }{
	{twoskip.Magic, "twoskip"},
	{skiplist.Magic[:16], "skiplist"},
	{"\xa1\x02\x8b\x0dtwomfile", "twom"},
	{"SQLite format 3\x00", "sql"},
}

// Detect returns the kind of the file path: by its magic, or "flat" for what
// is text with TABs. It is "" for a file that is missing or empty, or that can
// be anything.
func Detect(path string) (kind string, err error) {
	st, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return detectDir(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	return detectBytes(b[:n]), nil
}

func detectDir(path string) (string, error) {
	if found, err := leveldb.Is(path); err != nil || found {
		return "leveldb", err
	}
	if m, err := filepath.Glob(filepath.Join(path, "zeroskip-*")); err == nil && len(m) > 0 {
		return "zeroskip", nil
	}
	return "", nil
}

func detectBytes(b []byte) string {
	for _, m := range magics {
		if strings.HasPrefix(string(b), m.magic) {
			return m.kind
		}
	}
	// Each line of a flat file has a TAB.
	line, _, whole := strings.Cut(string(b), "\n")
	if strings.Contains(line, "\t") && (whole || len(b) > 0) && !strings.Contains(line, "\x00") {
		return "flat"
	}
	return ""
}
