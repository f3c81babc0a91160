// Package lock takes advisory locks on open files, with bounded waits.
//
// A lock is a Linux open-file-description lock over the whole file. It
// conflicts with the POSIX (fcntl) locks that Cyrus's own programs take, but
// belongs to the open file and not to the process: goroutines of one process
// that opened the file separately exclude each other, and closing some other
// descriptor of the same file releases nothing. The kernel drops it when the
// last duplicate of the descriptor is closed or the process dies. There is no
// deadlock detection, so callers keep the order of docs/architecture.md.
//
// An *os.File holds at most one lock; asking again changes its mode.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Mode is how a lock is shared.
type Mode int16

const (
	Shared    Mode = unix.F_RDLCK
	Exclusive Mode = unix.F_WRLCK
)

// ErrBusy is the error of Try when somebody else's lock is in the way, and of
// Wait when it still was at the end of the wait.
var ErrBusy = errors.New("locked by another process")

// DefaultWait is how long Wait waits at the most when its context has no
// deadline of its own.
const DefaultWait = 60 * time.Second

// Polling starts at minPoll and doubles to maxPoll: a lock held for one short
// transaction is had within a fraction of it, a long one costs 100 tries a
// second. A blocking F_OFD_SETLKW could be interrupted by nothing but a signal
// to its thread.
const (
	minPoll = 50 * time.Microsecond
	maxPoll = 10 * time.Millisecond
)

// Try locks f or changes the mode of its lock; it does not wait.
func Try(f *os.File, m Mode) error {
	err := set(f, int16(m))
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("lock %s: %w", f.Name(), ErrBusy)
	}
	return err
}

// Wait locks f or changes the mode of its lock, waiting until ctx ends, and
// DefaultWait at the most.
func Wait(ctx context.Context, f *os.File, m Mode) error {
	err := Try(f, m)
	if !errors.Is(err, ErrBusy) {
		return err
	}
	deadline := time.Now().Add(DefaultWait)
	timer := time.NewTimer(minPoll)
	defer timer.Stop()
	for pause := minPoll; ; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-timer.C:
		}
		if err = Try(f, m); !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			return err
		}
		pause = min(2*pause, maxPoll)
		timer.Reset(pause)
	}
}

// Release drops the lock of f, if it holds one.
func Release(f *os.File) error { return set(f, unix.F_UNLCK) }

func set(f *os.File, how int16) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) {
		for {
			lockErr = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &unix.Flock_t{Type: how, Whence: 0})
			if lockErr != unix.EINTR {
				return
			}
		}
	})
	if err == nil && lockErr != nil {
		err = &os.PathError{Op: "lock", Path: f.Name(), Err: lockErr}
	}
	return err
}

// Current reports whether f is still the file of that name: databases are
// replaced by rename, so whoever got a lock must look whether the file it
// locked is the one a newcomer would open.
func Current(f *os.File) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(f.Name())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, named), err
}
