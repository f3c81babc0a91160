package master

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// socket is one listening socket of a service with its set of workers, or a
// DAEMON, which has a worker and no socket.
type socket struct {
	name   string
	family string // "ipv4", "ipv6", "unix"; "daemon"
	id     int    // CYRUS_ID: which of the service's sockets
	key    string // what tells two sockets of a service apart on reload

	entry    masterconf.Entry
	path     string // the program
	sessions int    // most sessions one of its processes takes; 1 for Cyrus's own
	multi    bool   // its processes take many sessions
	address  address
	enabled  bool // workers may be started
	removed  bool // no more in the file; goes with its last worker

	fd            int // -1 when it is closed, or a DAEMON
	statusR       int
	statusW       int
	ready, active int
	connections   int
	forks         int
	fork          forkRate
	readyFails    int
	lastReadyFail time.Time
}

func newSocket(e masterconf.Entry) *socket {
	s := &socket{name: e.Name, family: "daemon", fd: -1, statusR: -1, statusW: -1, sessions: 1}
	s.configure(e)
	return s
}

// configure takes what an entry says over; the next forks go by it.
func (s *socket) configure(e masterconf.Entry) {
	s.entry, s.enabled = e, true
	s.fork.max = e.Maxforkrate
	if s.isDaemon() {
		s.entry.Babysit, s.entry.Prefork, s.entry.Maxchild = true, 1, 1
	}
}

func (s *socket) isDaemon() bool { return s.entry.Section == masterconf.Daemon }

// String is how the log names it: "imap/ipv4".
func (s *socket) String() string {
	if s == nil {
		return "unknown/unknown"
	}
	return s.name + "/" + s.family
}

// openStatus makes the pipe for the workers' messages. Only our end does not
// block: that flag belongs to an end, and the other is the workers'.
func (s *socket) openStatus() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("status pipe: %w", err)
	}
	s.statusR, s.statusW = p[0], p[1]
	return unix.SetNonblock(s.statusR, true)
}

// closeSocket ends listening. Workers that still hold the socket must not keep
// the port: shutdown reaches their duplicates too.
func (s *socket) closeSocket() {
	if s.fd < 0 {
		return
	}
	unix.Shutdown(s.fd, unix.SHUT_RDWR)
	unix.Close(s.fd)
	s.fd = -1
}

// closeStatus is for a socket that has no worker left.
func (s *socket) closeStatus() {
	if s.statusR < 0 {
		return
	}
	unix.Close(s.statusR)
	unix.Close(s.statusW)
	s.statusR, s.statusW = -1, -1
}

// places is how many more concurrent sessions maxchild allows beyond what the
// living workers stand for.
func (m *master) places(s *socket) int {
	free := s.entry.Maxchild
	if free == masterconf.Unlimited {
		return free
	}
	for _, c := range m.children {
		if c.svc == s && c.state != stateDead {
			free -= c.places
		}
	}
	return free
}

// wanted is how many ready workers there should be: prefork sessions' worth.
func (s *socket) wanted() int {
	n := s.entry.Prefork
	if s.multi {
		n = (n + s.sessions - 1) / s.sessions
	}
	return n
}

// readMessages takes every message that is in the pipe.
func (m *master) readMessages(s *socket) {
	for {
		msg, ok, err := readMessage(s.statusR)
		if err != nil {
			log.Err("error while receiving message from child of %s: %v", s, err)
			return
		}
		if !ok {
			return
		}
		m.receive(s, msg)
	}
}
