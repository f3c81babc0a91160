package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// A fileLock is one of Cyrus's lock files as all goroutines of the process share
// it: a gate, and behind it one descriptor whose kernel lock the first sharer
// takes and the last one drops.
type fileLock struct {
	path string
	gate gate
	refs int // of the registry

	turn    chan struct{} // one token: who deals with the kernel's lock
	sharers int           // that rely on the kernel's shared lock
	file    *os.File
}

// locks is the registry of a process.
type locks struct {
	mu sync.Mutex
	by map[string]*fileLock
}

// get is the lock of a path; put gives it back.
func (r *locks) get(path string) *fileLock {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.by[path]
	if l == nil {
		if r.by == nil {
			r.by = make(map[string]*fileLock)
		}
		l = &fileLock{path: path, turn: make(chan struct{}, 1)}
		r.by[path] = l
	}
	l.refs++
	return l
}

func (r *locks) put(l *fileLock) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.refs--; l.refs == 0 {
		delete(r.by, l.path)
		l.close()
	}
}

func (l *fileLock) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// take waits for the lock. The error is lock.ErrBusy or one of the file system.
func (l *fileLock) take(ctx context.Context, m lock.Mode) error {
	if err := l.gate.lock(ctx, m); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	err := l.kernel(ctx, m)
	if err != nil {
		l.gate.unlock(m)
	}
	return err
}

// try is take without a wait; the error is then ErrBusy.
func (l *fileLock) try(m lock.Mode) error {
	if !l.gate.try(m) {
		return fmt.Errorf("%s: %w", l.path, ErrBusy)
	}
	select {
	case l.turn <- struct{}{}:
	default:
		l.gate.unlock(m)
		return fmt.Errorf("%s: %w", l.path, ErrBusy)
	}
	err := l.hold(m, func(f *os.File) error { return lock.Try(f, m) })
	<-l.turn
	if err != nil {
		l.gate.unlock(m)
	}
	if errors.Is(err, lock.ErrBusy) {
		err = fmt.Errorf("%s: %w", l.path, ErrBusy)
	}
	return err
}

func (l *fileLock) kernel(ctx context.Context, m lock.Mode) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w: %w", l.path, lock.ErrBusy, context.Cause(ctx))
	}
	defer func() { <-l.turn }()
	return l.hold(m, func(f *os.File) error { return lock.Wait(ctx, f, m) })
}

// hold takes the kernel's lock by get, unless other sharers have it already.
func (l *fileLock) hold(m lock.Mode, get func(*os.File) error) error {
	if l.sharers > 0 {
		l.sharers++
		return nil
	}
	if err := l.open(); err != nil {
		return err
	}
	if err := get(l.file); err != nil {
		return err
	}
	if m == lock.Shared {
		l.sharers++
	}
	return nil
}

// open opens the lock file, as Cyrus does: created, and never removed.
func (l *fileLock) open() error {
	if l.file != nil {
		return nil
	}
	f, err := mappedfile.Create(l.path, os.O_RDWR, 0o666)
	l.file = f
	return err
}

// drop gives back what take or try took.
func (l *fileLock) drop(m lock.Mode) {
	l.turn <- struct{}{}
	if m == lock.Shared {
		l.sharers--
	}
	if l.sharers == 0 {
		// The only error is of a bad descriptor, and that has no lock.
		_ = lock.Release(l.file)
	}
	<-l.turn
	l.gate.unlock(m)
}
