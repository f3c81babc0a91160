package mappedfile

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OpenFile is os.OpenFile for a regular file or a directory, without the five
// system calls in which package os finds out that it cannot be waited for.
func OpenFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	for {
		fd, err := unix.Open(path, flag|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// attempts bounds Create, whose directory somebody may remove each time.
const attempts = 100

// Create is OpenFile with O_CREATE and, where they are missing, the directories above,
// also while somebody removes them because they are empty.
func Create(path string, flag int, perm os.FileMode) (f *os.File, err error) {
	for range attempts {
		f, err = OpenFile(path, flag|os.O_CREATE, perm)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return nil, err
}
