package synclog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/lock"
	"gocyrus/lib/log"
)

// ErrTaken is the error of a log that another reader has finished meanwhile.
var ErrTaken = errors.New("sync log is not the one that was taken")

// Taken is a log that its reader has taken aside. Nobody writes to it any more.
type Taken struct {
	Path string
	// Again says that it was taken before, by a reader that did not finish.
	Again bool
	// Since is when its oldest entry was written.
	Since time.Time

	log  string // the path it had
	file *os.File
}

// Take takes the log of a channel aside: the one that an earlier reader left, or
// else the present one. It is nil when nothing was logged. Two who read one channel
// would take it from each other: that there is but one is the caller's to see to.
func Take(o Options, channel string) (*Taken, error) {
	path := o.path(channel)
	t := &Taken{Path: path + runSuffix, log: path, Again: true}
	if _, err := os.Stat(t.Path); errors.Is(err, os.ErrNotExist) {
		t.Again = false
		if ok, err := aside(path, t.Path); !ok {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if t.Again {
		log.Notice("Reprocessing sync log file %s", t.Path)
	}
	f, err := settled(t.Path)
	if err != nil {
		return nil, err
	}
	t.file = f
	t.Since, _ = since(t.Path)
	return t, nil
}

// aside renames a log, and the file with its age.
func aside(path, run string) (ok bool, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	// The age first: of what is written between the two it says too much, which
	// is better than too little.
	err = os.Rename(path+bornSuffix, run+bornSuffix)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	err = os.Rename(path, run)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// settled opens a log that was taken, when the last writer has left it, and makes
// it durable: writers leave that to the background.
func settled(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	// Who gets the lock later sees that the file is not the log any more.
	if err = lock.Wait(context.Background(), f, lock.Exclusive); err == nil {
		err = lock.Release(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Batch reads the log. It may be called again.
func (t *Taken) Batch() (*Batch, error) {
	if _, err := t.file.Seek(0, 0); err != nil {
		return nil, err
	}
	return read(t.file)
}

// Done removes the log: all it names has been done.
func (t *Taken) Done() error {
	ok, err := lock.Current(t.file)
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", t.Path, ErrTaken)
	}
	if err == nil {
		err = os.Remove(t.Path)
	}
	if err == nil {
		if e := os.Remove(t.Path + bornSuffix); !errors.Is(e, os.ErrNotExist) {
			err = e
		}
	}
	return errors.Join(err, t.file.Close())
}

// Leave closes the log and leaves it to be taken again.
func (t *Taken) Leave() error { return t.file.Close() }

// Requeue puts lines back into the log of the channel, for a later round. They keep
// their age. They are durable on return: Done may follow.
func (t *Taken) Requeue(lines ...Line) error {
	if len(lines) == 0 {
		return nil
	}
	return requeue(t.log, lines, t.Since)
}

func requeue(path string, lines []Line, age time.Time) error {
	c := newChannel("", path)
	err := c.put(unique(lines))
	if err == nil {
		if old, ok := since(path); ok && age.Before(old) {
			err = stamp(path+bornSuffix, age)
		}
	}
	if err == nil {
		err = c.file.Sync()
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return errors.Join(err, c.drop())
}

// ReadFile reads a log that somebody saved, and leaves it.
func ReadFile(path string) (*Batch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := read(f)
	return b, errors.Join(err, f.Close())
}
