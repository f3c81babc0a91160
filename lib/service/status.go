package service

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// Messages of a worker to master. On the pipe each is two native ints, the
// message and the worker's pid, in one write (Cyrus's master/service.h).
const (
	StatusAvailable   = 1 // will take another connection
	StatusUnavailable = 2 // takes no more for now
	StatusConnection  = 3 // one-session workers: a session starts
	StatusMulti       = 4 // one more session beside others

	// StatusSessions is ours, sent only to a master that set CYRUS_SESSIONS,
	// by a worker that takes no more connections: the bits from 8 on are the
	// number of sessions it still has.
	StatusSessions = 5
)

// StatusSize is the length of a message.
const StatusSize = 8

// Names in a worker's environment that only our master sets.
const (
	EnvSessions = "CYRUS_SESSIONS" // most concurrent sessions of this worker; 0 is its own option
	EnvPrefork  = "CYRUS_PREFORK"  // free places below which the worker calls for another
	EnvStderr   = "CYRUS_LOG_STDERR"
)

// Descriptors that master sets up.
const (
	statusFD = 3
	listenFD = 4
)

// status is the pipe to master. It remembers the last word, so that no state
// is reported twice: master would warn.
type status struct {
	fd  int // -1 without master (-X)
	pid int

	mu          sync.Mutex
	unavailable bool
	lost        bool // master is gone; said once
}

func newStatus(fd int) *status {
	if fd >= 0 {
		unix.CloseOnExec(fd)
	}
	return &status{fd: fd, pid: os.Getpid()}
}

// connection reports a session, and in the same breath whether there is room
// for one more. The order matters: a CONNECTION_MULTI after UNAVAILABLE makes
// Cyrus's master believe the worker free again.
func (s *status) connection(room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unavailable {
		s.send(StatusMulti)
	}
	s.setLocked(!room)
}

// set reports whether the worker will take more.
func (s *status) set(unavailable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(unavailable)
}

func (s *status) setLocked(unavailable bool) {
	if s.unavailable == unavailable {
		return
	}
	s.unavailable = unavailable
	if unavailable {
		s.send(StatusUnavailable)
	} else {
		s.send(StatusAvailable)
	}
}

// leave says that no more connections will be taken: then an exit is none of
// a ready worker, which master would count as a failure to start.
func (s *status) leave() { s.set(true) }

// sessions reports how many sessions a leaving worker still has.
func (s *status) sessions(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(StatusSessions | n<<8)
}

func (s *status) send(message int) {
	if s.fd < 0 || s.lost {
		return
	}
	var b [StatusSize]byte
	binary.NativeEndian.PutUint32(b[:4], uint32(message))
	binary.NativeEndian.PutUint32(b[4:], uint32(s.pid))
	for {
		_, err := unix.Write(s.fd, b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			s.lost = true
			log.Err("unable to tell master %x: %s", message, text(err))
		}
		return
	}
}

// watchMaster calls gone once when the other end of the pipe is closed: then
// master has died. It occupies a thread, which costs less than asking for the
// parent's pid again and again.
func (s *status) watchMaster(gone func()) {
	if s.fd < 0 {
		return
	}
	go func() {
		for {
			// A write end reports POLLERR unasked when it has no reader left.
			fds := []unix.PollFd{{Fd: int32(s.fd)}}
			_, err := unix.Poll(fds, -1)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			if fds[0].Revents != 0 {
				gone()
				return
			}
		}
	}()
}

// text is a system error as strerror(3) spells it, which log scripts know.
func text(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	s := errno.Error()
	return string(upper(s[0])) + s[1:]
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
