// Package mappedfile opens, maps, locks and replaces files that other processes
// use at the same time.
//
// It knows no format.
package mappedfile

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"gocyrus/lib/lock"
)

// Replace writes a new file and gives it the name path in one step: write to
// path.NEW, fsync, rename, fsync of the directory. Whoever opens path gets the
// old contents or the new, also after a crash. The caller holds what lock keeps
// other writers out.
func Replace(path string, perm os.FileMode, write func(w io.Writer) error) (err error) {
	f, err := os.OpenFile(path+".NEW", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = errors.Join(write(w), w.Flush())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return Rename(f.Name(), path)
}

// Rename renames and makes the new name durable.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenLocked opens path, with O_CREATE as Create does, and locks it. When it was replaced while we waited for
// the lock, the file that bears the name now is taken instead. Closing the file
// releases the lock.
func OpenLocked(ctx context.Context, path string, flag int, m lock.Mode) (*os.File, error) {
	open := OpenFile
	if flag&os.O_CREATE != 0 {
		open = Create
	}
	for {
		f, err := open(path, flag, 0o644)
		if err != nil {
			return nil, err
		}
		current := false
		if err = lock.Wait(ctx, f, m); err == nil {
			current, err = lock.Current(f)
		}
		if err == nil && current {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}
