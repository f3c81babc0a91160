package cyrusdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mappedfile"
)

// chunk is how many records a conversion writes in one transaction: the new
// database has nobody else's name yet, so it need not be one.
const chunk = 5000

// copyAll writes all records of src into the new database dst.
func copyAll(dst, src kv.DB) (n int, err error) {
	var rows [][2][]byte
	flush := func() error {
		err := dst.Update(func(tx kv.Tx) error {
			for _, r := range rows {
				if err := tx.Put(r[0], r[1]); err != nil {
					return err
				}
			}
			return nil
		})
		rows = rows[:0]
		return err
	}
	err = src.Scan(nil, func(k, v []byte) error {
		b := append(append(make([]byte, 0, len(k)+len(v)), k...), v...)
		rows = append(rows, [2][]byte{b[:len(k):len(k)], b[len(k):]})
		n++
		if len(rows) == chunk {
			return flush()
		}
		return nil
	})
	if err == nil && len(rows) > 0 {
		err = flush()
	}
	return n, err
}

// Convert copies the database from, of whatever engine it has, into a new one
// of engine kind at to. What is at to is replaced in one step. When from and to
// are the same, a mailboxes.db that becomes LevelDB leaves the old file under
// another name; see Keep.
func Convert(from, to, kind string) (n int, err error) {
	if !Known(kind) || kind == "skiplist" {
		return 0, fmt.Errorf("cyrusdb backend %s %w", kind, ErrKind)
	}
	real, err := Detect(from)
	if err != nil {
		return 0, err
	}
	if real == "" {
		real = "flat"
	}
	if kind == "quotalegacy" {
		return convertInto(real, from, to, kind)
	}
	tmp := to + ".NEW"
	if err := os.RemoveAll(tmp); err != nil {
		return 0, err
	}
	if n, err = convertInto(real, from, tmp, kind); err != nil {
		return n, errors.Join(err, os.RemoveAll(tmp))
	}
	keep := ""
	if from == to {
		if kind == "leveldb" {
			keep = Keep(from, real)
		}
	} else if _, err := os.Stat(filepath.Join(to, "CURRENT")); err == nil {
		// A LevelDB in the way may be in use; it is moved, not emptied.
		keep = Keep(to, "leveldb")
	}
	return n, install(tmp, to, keep)
}

func convertInto(real, from, to, kind string) (n int, err error) {
	src, err := Open(real, from, 0)
	if err != nil {
		return 0, err
	}
	dst, err := Open(kind, to, kv.Create)
	if err != nil {
		return 0, errors.Join(err, src.Close())
	}
	n, err = copyAll(dst, src)
	return n, errors.Join(err, dst.Close(), src.Close())
}

// Keep is the name under which a converted database of the given kind stays:
// not one that Cyrus would look at.
func Keep(path, kind string) string { return path + ".cyrus-" + kind }

// install gives tmp the name to. What had the name gets the name keep, or goes
// when keep is empty. At every moment the name leads to the old or to the new
// one; where the file system cannot exchange names, Mend finishes what a crash
// interrupts.
func install(tmp, to, keep string) error {
	st, err := os.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mappedfile.Rename(tmp, to)
	case err != nil:
		return err
	}
	if keep == "" && !st.IsDir() {
		if new, err := os.Stat(tmp); err == nil && !new.IsDir() {
			return mappedfile.Rename(tmp, to)
		}
		keep = to + ".OLD"
		defer os.RemoveAll(keep)
	}
	if keep == "" {
		keep = to + ".OLD"
		defer os.RemoveAll(keep)
	}
	if err := os.RemoveAll(keep); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	if err == nil {
		return errors.Join(mappedfile.SyncDir(filepath.Dir(to)), mappedfile.Rename(tmp, keep))
	}
	if err := os.Rename(to, keep); err != nil {
		return err
	}
	return mappedfile.Rename(tmp, to)
}

// Mend finishes a conversion of path to LevelDB that a crash interrupted after
// the new database was complete, and says whether there was one. One that was
// not complete is removed; it is made again.
func Mend(path string) (bool, error) {
	tmp := path + ".NEW"
	st, err := os.Stat(tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, missing := os.Lstat(path)
	switch {
	case errors.Is(missing, fs.ErrNotExist) && st.IsDir():
		// The old one was moved away already, so the new one was whole.
		if m, err := filepath.Glob(path + ".cyrus-*"); err != nil || len(m) == 0 {
			return false, err
		}
		return true, mappedfile.Rename(tmp, path)
	case missing != nil:
		return false, missing
	case !st.IsDir():
		kind, err := Detect(tmp)
		real, err2 := Detect(path)
		if err != nil || err2 != nil || real != "leveldb" || kind == "" {
			return false, errors.Join(err, err2)
		}
		// Exchanged, but not yet moved to its new name.
		return true, mappedfile.Rename(tmp, Keep(path, kind))
	}
	return false, os.RemoveAll(tmp)
}
