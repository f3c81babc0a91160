package log

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of the queue of a socket whose daemon is slow.
const (
	maxQueued = 1024    // lines
	retry     = 100     // milliseconds between two looks at a daemon that takes nothing
	maxAbsent = 10 * 60 // looks, a minute, after which the queue is given up
)

// socketSink sends datagrams to the log daemon and never waits.
type socketSink struct {
	path string

	mu       sync.Mutex
	fd       int      // -1 when not connected
	queue    [][]byte // lines the daemon could not take yet, in order
	lost     int      // lines dropped since the last one that was sent
	draining bool
}

func newSocket(path string) *socketSink {
	if path == "" {
		path = "/dev/log"
	}
	return &socketSink{path: path, fd: -1}
}

func (s *socketSink) send(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 && !s.draining && s.try(p) {
		if s.lost > 0 {
			s.reportLost() // of a daemon that was away for long
		}
		return
	}
	if len(s.queue) >= maxQueued {
		s.lost++
		return
	}
	s.queue = append(s.queue, append([]byte(nil), p...))
	if !s.draining {
		s.draining = true
		go s.drain()
	}
}

// try sends one line, over a new connection when the daemon has been started
// again since the last.
func (s *socketSink) try(p []byte) bool {
	if s.fd >= 0 {
		err := unix.Sendto(s.fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		if err == nil {
			return true
		}
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
			return false
		}
		if errors.Is(err, unix.EMSGSIZE) {
			s.lost++ // it will not shrink: keeping it would block the queue
			return true
		}
		unix.Close(s.fd)
		s.fd = -1
	}
	if !s.connect() {
		return false
	}
	return unix.Sendto(s.fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil) == nil
}

func (s *socketSink) connect() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.path}); err != nil {
		unix.Close(fd)
		return false
	}
	s.fd = fd
	return true
}

// drain sends the queue as the daemon takes it, and ends with it.
func (s *socketSink) drain() {
	for looks := 0; ; {
		sent, done := s.step(looks >= maxAbsent)
		if done {
			return
		}
		if sent {
			looks = 0
			continue
		}
		looks++
		s.wait()
	}
}

// step sends the first line of the queue, or after the last of them how many
// were lost. With giveUp, what is queued is lost, and so far nobody is told.
func (s *socketSink) step(giveUp bool) (sent, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if giveUp {
		s.lost += len(s.queue)
		s.queue = nil
	}
	switch {
	case len(s.queue) > 0:
		if !s.try(s.queue[0]) {
			return false, false
		}
		s.queue = s.queue[1:]
		return true, false
	case s.lost > 0 && !giveUp && !s.reportLost():
		return false, false
	}
	s.draining = false
	return false, true
}

// reportLost says whether the count went out, or has nowhere to go.
func (s *socketSink) reportLost() bool {
	l := current.Load()
	if l == nil || l.sink != sink(s) {
		return true
	}
	if !s.try(l.line(nil, levelErr, time.Now(), "%d lines of this log were lost", []any{s.lost})) {
		return false
	}
	s.lost = 0
	return true
}

// wait lets some time pass, less when the daemon becomes ready.
func (s *socketSink) wait() {
	s.mu.Lock()
	fd := s.fd
	s.mu.Unlock()
	if fd < 0 {
		time.Sleep(retry * time.Millisecond)
		return
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, retry); err != nil && err != unix.EINTR {
		time.Sleep(retry * time.Millisecond)
	}
}

func (s *socketSink) flush(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		empty := len(s.queue) == 0 || s.fd < 0 // nobody to wait for
		s.mu.Unlock()
		if empty {
			return
		}
	}
}

// stderrSink writes to standard error, each line in one call.
type stderrSink struct{}

func (stderrSink) send(p []byte)       { os.Stderr.Write(p) }
func (stderrSink) flush(time.Duration) {}
