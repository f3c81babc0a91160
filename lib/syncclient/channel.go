package syncclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/mappedfile"
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

// errStopped is the end of a wait because the program is to end.
var errStopped = errors.New("stopped")

// claimChannel makes the channel this process's: at once, or lock.ErrBusy; or, with
// wait, when it is nobody's any more.
func (c *Client) claimChannel(ctx context.Context, wait bool) (*claim, error) {
	path := filepath.Join(channelDir(c.opt.Log, c.opt.Channel), pidFile)
	f, err := mappedfile.Create(path, os.O_RDWR, 0o666)
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
		if !wait {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		if !c.pause(ctx, idleWait) || c.shutdown() {
			return nil, errors.Join(errStopped, f.Close())
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
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	// Who asked by taking the lock would be in the way of one that starts.
	who := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &who); err != nil || who.Type == unix.F_UNLCK {
		return 0
	}
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}
