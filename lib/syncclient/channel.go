package syncclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/synclog"
)

// pidFile is in the directory of a channel's log and holds the process that works it
// off, which keeps it locked.
const pidFile = "sync_client.pid"

// channelDir is where the log of a channel is.
func channelDir(o synclog.Options, channel string) string { return filepath.Join(o.Dir, channel) }

// claim says that this process works a channel's log off. Two would take the log from
// each other.
type claim struct{ f *os.File }

// claimChannel makes the channel this process's, when it is nobody's any more, or at
// once. The error is lock.ErrBusy at the end of the wait.
func (c *Client) claimChannel(ctx context.Context, wait bool) (*claim, error) {
	path := filepath.Join(channelDir(c.opt.Log, c.opt.Channel), pidFile)
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := lock.Try(f, lock.Exclusive)
		if err == nil {
			break
		}
		if !errors.Is(err, lock.ErrBusy) {
			return nil, errors.Join(err, f.Close())
		}
		if !told {
			log.Notice("process %d works on the log of this channel already", runningPID(path))
		}
		if !wait || !c.pause(ctx, 100*time.Millisecond) || c.shutdown() {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &claim{f}, nil
}

func (c *claim) release() {
	// The number must not outlive the process.
	_ = c.f.Truncate(0)
	_ = c.f.Close()
}

// runningPID is the process that works a channel off, 0 when none does.
func runningPID(path string) int {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if lock.Try(f, lock.Shared) == nil {
		return 0
	}
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}
