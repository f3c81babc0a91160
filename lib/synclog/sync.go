package synclog

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/log"
)

// later has the file synced, and what is kept tried again, in a while. The caller
// has mu.
func (c *channel) later() {
	if c.timer == nil && !c.shut {
		c.timer = time.AfterFunc(syncDelay, c.settle)
	}
}

// settle is run in the background: no session waits for the disk.
func (c *channel) settle() {
	c.mu.Lock()
	c.timer = nil
	f, born, kept := c.file, c.born, len(c.kept) > 0
	c.born = false
	c.mu.Unlock()
	if f != nil {
		// A reader may take the file away meanwhile. Then it is closed, and the
		// reader syncs it.
		if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			log.Err("IOERROR: sync_log(): fsync %s: %v", c.path, err)
		}
	}
	if born {
		if err := syncDir(filepath.Dir(c.path)); err != nil {
			log.Err("IOERROR: sync_log(): fsync of directory of %s: %v", c.path, err)
		}
	}
	if kept {
		c.token <- struct{}{}
		c.flush()
		<-c.token
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close writes what is kept, syncs the file and closes it.
func (c *channel) close() {
	c.mu.Lock()
	t := c.timer
	c.shut = true
	c.mu.Unlock()
	if t != nil && t.Stop() {
		c.settle()
	}
	c.token <- struct{}{}
	defer func() { <-c.token }()
	if err := c.drop(); err != nil {
		log.Err("IOERROR: sync_log(): closing %s: %v", c.path, err)
	}
}
