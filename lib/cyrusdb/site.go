package cyrusdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gocyrus/lib/cyrusdb/leveldb"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// Site is one of the databases that ctl_cyrusdb looks after.
type Site struct {
	Path    string
	Kind    string // what the configuration wants it to be
	Archive bool   // it is worth a backup
}

// Recover has a database mended and, when it is of another kind than wanted,
// converted; notice is told so before. A database that is not there is left so.
func (s Site) Recover(notice func(text string)) error {
	if s.Kind == "leveldb" {
		if mended, err := Mend(s.Path); err != nil {
			return err
		} else if mended {
			notice("finished the interrupted conversion of " + s.Path)
		}
	}
	kind, err := Detect(s.Path)
	if err != nil || kind == "" {
		return err
	}
	if kind != s.Kind && s.convertible(kind) {
		notice(fmt.Sprintf("converting %s from %s to %s", s.Path, kind, s.Kind))
		if _, err := Convert(s.Path, s.Path, s.Kind); err != nil {
			return fmt.Errorf("conversion failed %s: %w", s.Path, err)
		}
		kind = s.Kind
	}
	db, err := Open(kind, s.Path, 0)
	if err != nil {
		return err
	}
	if l, ok := db.(*leveldb.DB); ok {
		err = l.Recover()
	}
	return errors.Join(err, db.Close())
}

// convertible: flat is only recognised by what it lacks, so Cyrus leaves such
// a file alone; here it is converted when LevelDB is wanted.
func (s Site) convertible(kind string) bool {
	return Known(s.Kind) && s.Kind != "skiplist" && (kind != "flat" || s.Kind == "leveldb")
}

// ArchiveTo copies a database, of one moment, into the directory dir, while
// others work on it. What is not there, and a tree of quota files, is passed
// over.
func (s Site) ArchiveTo(dir string) error {
	kind, err := Detect(s.Path)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.Base(s.Path))
	if kind == "leveldb" {
		db, err := leveldb.Open(s.Path, 0)
		if err != nil {
			return err
		}
		return errors.Join(db.Archive(to), db.Close())
	}
	f, err := mappedfile.OpenLocked(context.Background(), s.Path, os.O_RDONLY, lock.Shared)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return mappedfile.Replace(to, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// Rotate makes dir.backup1 an empty directory; what it was becomes dir.backup2,
// and what that was goes.
func Rotate(dir string) (string, error) {
	one, two := dir+".backup1", dir+".backup2"
	if err := os.RemoveAll(two); err != nil {
		return "", err
	}
	if err := os.Rename(one, two); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return one, os.Mkdir(one, 0o755)
}
