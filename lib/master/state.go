package master

import (
	"fmt"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/service"
)

// state is what master believes of a worker. The numbers are Cyrus's: the log
// shows them.
type state int

const (
	stateUnknown state = iota
	stateReady
	stateBusy
	stateDead
)

func (s state) String() string { return [...]string{"UNKNOWN", "READY", "BUSY", "DEAD"}[s] }

// child is a process of ours, or one whose end is not long ago.
type child struct {
	pid     int
	kind    string // START, SERVICE, DAEMON, EVENT
	name    string
	path    string
	born    time.Time
	svc     *socket // nil for START and EVENT
	state   state
	served  bool      // it has had a session beside which it stayed READY
	places  int       // concurrent sessions it stands for in maxchild
	died    time.Time // when the state became DEAD
	hupped  time.Time // when it was sent SIGHUP and has not been warned of
	inProc  bool      // master wrote its file in the proc registry
	waiting bool      // a DAEMON with wait=yes: in a process group of its own kind
}

// describe is how the log names a child.
func (c *child) describe(now time.Time) string {
	return fmt.Sprintf("process type:%s name:%s path:%s age:%.3fs pid:%d",
		c.kind, c.name, c.path, now.Sub(c.born).Seconds(), c.pid)
}

// deadTime is how long a dead child is remembered, for the messages of it that
// are still in the pipe.
const deadTime = 2 * time.Second

// message is what a worker wrote to its status pipe.
type message struct {
	what int
	pid  int
}

// receive updates the books by a message that came through the pipe of s.
func (m *master) receive(s *socket, msg message) {
	c := m.children[msg.pid]
	if c == nil {
		log.Warning("service %s pid %d: receiving messages from long dead children", s, msg.pid)
		c = &child{pid: msg.pid, kind: "SERVICE", name: s.name, svc: s, state: stateDead, died: m.now()}
		m.children[msg.pid] = c
	}
	if c.svc != s {
		log.Err("service %s pid %d: changing from service %s due to received message", s, c.pid, c.svc)
		c.svc, c.state = s, stateUnknown
	}
	if c.state == stateUnknown {
		log.Warning("service %s pid %d in UNKNOWN state: processing message 0x%x", s, c.pid, msg.what)
	}
	switch msg.what & 0xff {
	case service.StatusAvailable:
		c.available(s)
	case service.StatusUnavailable:
		c.unavailable(s)
	case service.StatusConnection:
		c.connection(s)
	case service.StatusMulti:
		// No change of state: a worker of many sessions says by itself when
		// it has no room left.
		s.connections++
		c.served = true
	case service.StatusSessions:
		c.leaving(msg.what >> 8)
	default:
		log.Crit("service %s pid %d: Software bug: unrecognized message 0x%x", s, c.pid, msg.what)
	}
	m.verbosef(1, "service %s now has %d ready workers", s, s.ready)
}

func (c *child) available(s *socket) {
	switch c.state {
	case stateReady:
		log.Warning("service %s pid %d in READY state: sent available message but it is already ready", s, c.pid)
	case stateBusy:
		c.state = stateReady
		s.ready++
	case stateUnknown:
		// Nobody counted it as active or ready yet; it is now.
		c.state = stateReady
		log.Debug("service %s pid %d in UNKNOWN state: now available and in READY state", s, c.pid)
	}
}

func (c *child) unavailable(s *socket) {
	switch c.state {
	case stateBusy:
		log.Warning("service %s pid %d in BUSY state: sent unavailable message but it is already busy", s, c.pid)
	case stateReady:
		c.state = stateBusy
		s.ready--
	case stateUnknown:
		c.state = stateBusy
		log.Debug("service %s pid %d in UNKNOWN state: now unavailable and in BUSY state", s, c.pid)
	}
}

func (c *child) connection(s *socket) {
	s.connections++
	switch c.state {
	case stateReady:
		log.Err("service %s pid %d in READY state: reported new connection, forced to BUSY state", s, c.pid)
		c.state = stateBusy
		s.ready--
	case stateUnknown:
		c.state = stateBusy
	}
}

// leaving takes note that a worker of many sessions, which takes no more, has
// n left: the other places of maxchild are free for its successor.
func (c *child) leaving(n int) {
	if c.state != stateDead {
		c.places = min(c.places, n)
	}
}

// ended updates the books for a child that has exited. failed is whether its
// end was none that a worker of good will has.
func (m *master) ended(c *child, failed bool) {
	failed = failed && !m.stopping
	switch s := c.svc; {
	case s == nil:
		if c.state != stateReady {
			log.Warning("unknown service pid %d in state %d: exited "+
				"(maybe using a service as an event, or a service was removed by SIGHUP?)", c.pid, c.state)
		}
	case c.state == stateReady:
		s.active--
		s.ready--
		// What had sessions did start: its end is no failure to.
		if failed && !c.served {
			m.readyFailure(s, c)
		}
	case c.state == stateBusy:
		s.active--
		if failed {
			log.Debug("service %s pid %d in BUSY state: terminated abnormally", s, c.pid)
		}
	case c.state == stateUnknown:
		s.active = max(s.active-1, 0)
		log.Warning("service %s pid %d in UNKNOWN state: exited", s, c.pid)
	case c.state == stateDead:
		log.Warning("service %s pid %d in DEAD state: receiving duplicate signals", s, c.pid)
	}
	c.state, c.died, c.places = stateDead, m.now(), 0
	if s := c.svc; s != nil {
		m.verbosef(1, "service %s now has %d ready workers", s, s.ready)
	}
}

// A socket whose workers fail to start this often, with no longer pause than
// this between two, is closed until the next SIGHUP.
const (
	maxReadyFails     = 5
	readyFailInterval = 10 * time.Second
)

func (m *master) readyFailure(s *socket, c *child) {
	now := m.now()
	what := "service"
	if c.waiting {
		what = "daemon"
	}
	log.Warning("%s %s pid %d in READY state: terminated abnormally", what, s, c.pid)
	if now.Sub(s.lastReadyFail) > readyFailInterval {
		s.readyFails = 0
	}
	s.lastReadyFail = now
	s.readyFails++
	if s.readyFails < maxReadyFails || !s.enabled {
		return
	}
	if c.waiting {
		// Services depend on it: there is nothing better than to go on trying.
		log.Err("daemon %s is repeatedly failing", s)
		return
	}
	log.Err("too many failures for service %s, disabling until next SIGHUP", s)
	s.enabled = false
	s.closeSocket()
}
