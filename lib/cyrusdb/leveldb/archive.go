package leveldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/syndtr/goleveldb/leveldb/util"
)

// Recover opens the database for writing once, which brings what a killed
// writer left in its journals into tables.
func (db *DB) Recover() error { return db.s.writer.touch() }

// Checkpoint compacts the whole database.
func (db *DB) Checkpoint() error {
	w := &db.s.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	return w.db.CompactRange(util.Range{})
}

// Consistent reads every record; the checksums of the blocks say whether they
// are what was written.
func (db *DB) Consistent() error {
	return db.Scan(nil, func(_, _ []byte) error { return nil })
}

// Dump prints what LevelDB knows of its levels.
func (db *DB) Dump(out io.Writer, _ int) error {
	w := &db.s.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	for _, name := range []string{"leveldb.stats", "leveldb.sstables"} {
		text, err := w.db.GetProperty(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n%s\n", name, strings.TrimSpace(text)); err != nil {
			return err
		}
	}
	return nil
}

// Archive makes a copy of the database, of one moment, in the new directory to.
// Writers wait while journal and manifest are copied; tables never change, so
// they are held by links meanwhile and copied afterwards.
func (db *DB) Archive(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var linked []string
	err := db.s.writer.exclusive(func(dir string) error {
		names, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, n := range names {
			from, dst := filepath.Join(dir, n.Name()), filepath.Join(to, n.Name())
			switch {
			case n.Name() == lockName || strings.HasSuffix(n.Name(), ".tmp"):
				continue
			case strings.HasSuffix(n.Name(), ".ldb") && os.Link(from, dst) == nil:
				linked = append(linked, dst)
				continue
			}
			if err := copyFile(from, dst); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range linked {
		if err == nil {
			err = copyFile(name, name+".copy")
		}
		if err == nil {
			err = os.Rename(name+".copy", name)
		}
	}
	return errors.Join(err, syncDir(to))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
