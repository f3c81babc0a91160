package synclog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
	"gocyrus/lib/log"
)

const (
	// retries is how often a file that a reader took away is looked for anew.
	retries = 64
	// maxKnown bounds the memory of what a file holds, in lines.
	maxKnown = 1 << 14
	// maxKept bounds what is kept of lines that cannot be written.
	maxKept = 1 << 16
	// syncDelay is how long a written line may wait for the disk, and one that
	// could not be written for another try.
	syncDelay = time.Second
)

// errTaken is the error of a log that a reader takes away whenever it is locked.
var errTaken = fmt.Errorf("failed to lock after %d attempts", retries)

// A channel is one log as this process writes it.
//
// The file stays open between lines: what counts is that under its lock it is
// still the file of that name. The lock is one of lib/lock, which respects and is
// respected by the record locks of Cyrus's processes, and unlike these is not
// lost when another goroutine closes the file.
type channel struct {
	name string
	path string
	// token is had by the one who writes; the lines of all who wait meanwhile
	// are written together by the next.
	token chan struct{}

	mu    sync.Mutex
	wait  *round
	kept  []Line // that could not be written
	timer *time.Timer
	shut  bool // closed: nothing more is done in the background

	// The file, changed by the bearer of the token, under mu too.
	file     *os.File
	dev, ino uint64
	size     int64             // after the last write of ours
	known    map[Line]struct{} // lines that are in it
	born     bool              // made by us, and its name not yet durable
}

// round is the lines that are written together.
type round struct {
	lines []Line
	done  chan struct{}
}

func newChannel(name, path string) *channel {
	return &channel{name: name, path: path, token: make(chan struct{}, 1), known: map[Line]struct{}{}}
}

// write returns when the lines are in the file, or kept for another try.
func (c *channel) write(lines []Line) {
	c.mu.Lock()
	if c.holds(lines) {
		c.mu.Unlock()
		return
	}
	if c.wait == nil {
		c.wait = &round{done: make(chan struct{})}
	}
	r := c.wait
	r.lines = append(r.lines, lines...)
	c.mu.Unlock()
	select {
	case <-r.done:
	case c.token <- struct{}{}:
		// Whoever had the token before may have written it; if not, r waits still.
		c.flush()
		<-c.token
	}
}

// holds says whether the lines are in the file that a reader would take now.
func (c *channel) holds(lines []Line) bool {
	for _, n := range lines {
		if _, ok := c.known[n]; !ok {
			return false
		}
	}
	var st unix.Stat_t
	// The file is open, so that no other can have its number. A shorter one has
	// been emptied by hand.
	return unix.Stat(c.path, &st) == nil && st.Dev == c.dev && st.Ino == c.ino && st.Size >= c.size
}

// flush writes what waits. The caller has the token.
func (c *channel) flush() {
	c.mu.Lock()
	r := c.wait
	c.wait = nil
	lines := c.kept
	if r != nil {
		lines = append(lines, r.lines...)
		defer close(r.done)
	}
	c.kept = nil
	c.mu.Unlock()
	if len(lines) == 0 {
		return
	}
	lines = unique(lines)
	err := c.put(lines)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		log.Err("sync_log(): Unable to write to log file %s: %v", c.path, err)
		c.kept = lines[:min(len(lines), maxKept)]
	}
	c.later()
}

// unique drops lines that come again.
func unique(lines []Line) []Line {
	if len(lines) == 1 {
		return lines
	}
	seen := make(map[Line]struct{}, len(lines))
	list := make([]Line, 0, len(lines))
	for _, n := range lines {
		if _, ok := seen[n]; !ok {
			seen[n] = struct{}{}
			list = append(list, n)
		}
	}
	return list
}

// put appends lines to the file in one write.
func (c *channel) put(lines []Line) error {
	f, err := c.acquire()
	if err != nil {
		return err
	}
	var text []byte
	for _, n := range lines {
		text = append(text, n...)
	}
	end, err := appendTo(f, text)
	if e := lock.Release(f); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = end
	if len(c.known)+len(lines) > maxKnown {
		clear(c.known)
	}
	for _, n := range lines {
		c.known[n] = struct{}{}
	}
	return nil
}

// appendTo appends text to a locked file, all or nothing, and returns the size of
// the file then.
func appendTo(f *os.File, text []byte) (end int64, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if size > 0 {
		// A line that somebody left half written must not spoil ours.
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if _, err := f.Write(text); err != nil {
		return 0, errors.Join(err, f.Truncate(size))
	}
	return size + int64(len(text)), nil
}

// acquire locks the file of the channel's name.
func (c *channel) acquire() (*os.File, error) {
	for range retries {
		if c.file == nil {
			if err := c.open(); err != nil {
				return nil, err
			}
		}
		if err := lock.Wait(context.Background(), c.file, lock.Exclusive); err != nil {
			return nil, err
		}
		ok, err := lock.Current(c.file)
		if ok {
			return c.file, nil
		}
		// A reader has renamed it; closing it lets the reader have the lock.
		if err = errors.Join(err, c.drop()); err != nil {
			return nil, err
		}
	}
	return nil, errTaken
}

// open opens the file, which is made when there is none.
func (c *channel) open() error {
	f, created, err := openLog(c.path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return errors.Join(err, f.Close())
	}
	if created {
		markBirth(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file, c.dev, c.ino, c.size, c.born = f, st.Dev, st.Ino, 0, created
	clear(c.known)
	return nil
}

func openLog(path string) (f *os.File, created bool, err error) {
	for range retries {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
		if !errors.Is(err, os.ErrNotExist) {
			return f, false, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o640)
		if errors.Is(err, os.ErrNotExist) {
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				continue
			}
		}
		if !errors.Is(err, os.ErrExist) {
			return f, true, err
		}
	}
	return nil, false, errTaken
}

// drop closes the file. What it held is on its way to the replica.
func (c *channel) drop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.file
	if f == nil {
		return nil
	}
	c.file, c.dev, c.ino, c.size, c.born = nil, 0, 0, 0, false
	clear(c.known)
	return f.Close()
}
