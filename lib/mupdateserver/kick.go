package mupdateserver

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"gocyrus/lib/log"
)

// kickListener is the socket on which the processes of this machine kick
// mupdate: they connect, and read until it has caught up.
type kickListener struct {
	*net.UnixListener
}

// listenKicks binds the socket, in the place of one that is there. Two processes may do so
// at the same time, and somebody may kick meanwhile: so it has another name, no longer than
// its own, until it is ready.
func listenKicks(path string) (_ *kickListener, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, ".kick"+strconv.Itoa(os.Getpid()))
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The name may be another process's by the time this one ends.
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(name, 0o777); err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(name))
	}
	return &kickListener{l}, nil
}

// placebo answers every kick at once, until the listener is closed or ctx ends.
func (k *kickListener) placebo(ctx context.Context) {
	k.each(ctx, func() bool { return true })
}

// each answers every kick when ready has returned true, until the listener is
// closed or ctx ends.
func (k *kickListener) each(ctx context.Context, ready func() bool) {
	for {
		c, err := k.Accept()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				log.Warning("accept(): %v", err)
			}
			return
		}
		go func() {
			if ready() {
				kicked(c)
			} else {
				c.Close()
			}
		}()
	}
}

// accept hands every kick to ch, until the listener is closed or ctx ends.
func (k *kickListener) accept(ctx context.Context, ch chan<- net.Conn) {
	for {
		c, err := k.Accept()
		if err != nil {
			return
		}
		select {
		case ch <- c:
		case <-ctx.Done():
			c.Close()
			return
		}
	}
}

// kicked tells who kicked that it is done.
func kicked(c net.Conn) {
	if _, err := c.Write([]byte("ok")); err != nil {
		log.Warning("can't write to IPC socket (ignoring)")
	}
	c.Close()
}
