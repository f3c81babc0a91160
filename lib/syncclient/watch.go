package syncclient

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/synclog"
)

// watcher wakes rolling replication when something is logged. Without inotify it does
// so by the clock.
type watcher struct {
	path  string // of the log
	dir   *os.File
	wakes chan struct{}
}

// newWatcher watches the directory of a channel's log, in which the log comes and goes.
func newWatcher(o synclog.Options, channel string) *watcher {
	dir := channelDir(o, channel)
	w := &watcher{path: filepath.Join(dir, "log"), wakes: make(chan struct{}, 1)}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return w
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		unix.Close(fd)
		return w
	}
	w.dir = os.NewFile(uintptr(fd), "inotify")
	go w.listen()
	return w
}

func (w *watcher) listen() {
	buf := make([]byte, 16<<10)
	for {
		if _, err := w.dir.Read(buf); err != nil {
			return
		}
		select {
		case w.wakes <- struct{}{}:
		default:
		}
	}
}

// wait waits until there is a log. It returns false when there is none after the time
// of poll, or when all waiting is over.
func (w *watcher) wait(ctx context.Context, stop <-chan struct{}, poll time.Duration) bool {
	t := time.NewTimer(poll)
	defer t.Stop()
	for {
		if st, err := os.Stat(w.path); err == nil && st.Size() > 0 {
			return true
		}
		select {
		case <-w.wakes:
		case <-t.C:
			return false
		case <-ctx.Done():
			return false
		case <-stop:
			return false
		}
	}
}

func (w *watcher) close() {
	if w.dir != nil {
		w.dir.Close()
	}
}
