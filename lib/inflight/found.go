package inflight

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/lock"
)

// Found is what processes left that are gone.
type Found struct {
	Notes []string
	// Down says that the machine went down under one of them: there may have
	// been notes that are lost.
	Down bool
}

// maxFile bounds how much of a file is read, in octets.
const maxFile = 64 << 20

// Recover looks in dir for the files of processes that are gone. If they have
// left something, repair is told; when it returns without error, the files go.
// Meanwhile they are locked: nobody else repairs the same.
func Recover(dir string, repair func(Found) error) (err error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	var all Found
	var files []*os.File
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	for _, e := range list {
		f, err := orphan(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		files = append(files, f)
		if err := all.read(f, boot); err != nil {
			return err
		}
	}
	if len(all.Notes) > 0 || all.Down {
		if err := repair(all); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	return nil
}

// orphan opens and locks a file whose process is gone; of another it is nil.
func orphan(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		// Gone meanwhile, or of a program that root has run: root's to find.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ok := false
	if err = lock.Try(f, lock.Exclusive); err == nil {
		ok, err = lock.Current(f)
	}
	if errors.Is(err, lock.ErrBusy) {
		err = nil
	}
	if ok {
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// read adds what is in a file. One without a head was being made.
func (r *Found) read(f *os.File, boot string) error {
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return err
	}
	head, ok := strings.CutPrefix(string(b[:min(len(b), len(magic)+len(boot))]), magic)
	if !ok {
		if len(b) > slotSize {
			// Longer than it can be without a head: the machine went down.
			r.Down = true
		}
		return nil
	}
	r.Down = r.Down || head != boot
	for at := slotSize; at+slotSize <= len(b); at += slotSize {
		n := binary.NativeEndian.Uint32(b[at:])
		if n == 0 {
			continue
		}
		if n > MaxText {
			if head == boot {
				return fmt.Errorf("%s: note of %d octets: %w", f.Name(), n, ErrTooLong)
			}
			continue
		}
		r.Notes = append(r.Notes, string(b[at+4:at+4+int(n)]))
	}
	return nil
}
