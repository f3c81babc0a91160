package syncserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
	"gocyrus/lib/message"
)

// stageDir is the directory below a partition's root in which messages wait for
// their mailbox: sync./PID/SESSION/GUID, and behind that
// of a message that came in a number. Cyrus has neither SESSION nor number.
const stageDir = "sync."

// lockFile is in each PID's directory and locked while the process lives. Pids
// alone do not tell: two containers may share a spool.
const lockFile = "lock"

// areas are the directories of this process, one for each partition.
type areas struct {
	roots   map[string]string
	parse   message.Options
	writers chan struct{} // of messages being written

	mu    sync.Mutex
	locks map[string]*os.File // by partition, of those that were made
}

func newAreas(roots map[string]string, parse message.Options) *areas {
	return &areas{roots: roots, parse: parse, writers: make(chan struct{}, maxWriters), locks: map[string]*os.File{}}
}

// dir is this process's directory on a partition, made when it is not there.
func (a *areas) dir(partition string) (string, error) {
	root, ok := a.roots[partition]
	if !ok {
		return "", fmt.Errorf("partition %q: %w", partition, os.ErrNotExist)
	}
	dir := filepath.Join(root, stageDir, strconv.Itoa(os.Getpid()))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.locks[partition] != nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := lock.Try(f, lock.Exclusive); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	a.locks[partition] = f
	return dir, nil
}

// close removes the directories of this process.
func (a *areas) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, f := range a.locks {
		os.RemoveAll(filepath.Dir(f.Name()))
		f.Close()
		delete(a.locks, p)
	}
}

// clean removes the directories of processes that are gone.
func (a *areas) clean() error {
	var errs []error
	for _, root := range a.roots {
		top := filepath.Join(root, stageDir)
		list, err := os.ReadDir(top)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range list {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid <= 0 || !e.IsDir() {
				continue
			}
			if err := removeDead(filepath.Join(top, e.Name()), pid); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// removeDead removes a process's directory unless the process is alive. One
// without a lock is Cyrus's, or was made a moment ago.
func removeDead(dir string, pid int) error {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if unix.Kill(pid, 0) != unix.ESRCH {
			return nil
		}
	case err != nil:
		return err
	default:
		defer f.Close()
		if lock.Try(f, lock.Exclusive) != nil {
			return nil
		}
	}
	return os.RemoveAll(dir)
}
