package master

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// loop runs until a signal has ended it and the last worker is gone.
func (m *master) loop() {
	for {
		// Buried first, so that whoever must be replaced is.
		if m.signals.take(unix.SIGCHLD) {
			m.reap()
		}
		if m.signals.quit() {
			m.beginShutdown()
		}
		if !m.stopping {
			m.runEvents()
			for _, s := range m.sockets {
				m.man(s)
			}
			for _, s := range m.waits {
				m.man(s)
			}
		} else if m.activeWorkers() == 0 {
			return
		}
		if m.signals.take(unix.SIGHUP) && !m.stopping {
			m.reload()
			continue
		}
		m.sweep()
		m.poll()
	}
}

func (m *master) activeWorkers() int {
	n := 0
	for _, s := range m.sockets {
		n += s.active
	}
	return n
}

// poll waits for messages, callers, signals or the next due time, and deals
// with the first two.
func (m *master) poll() {
	fds := []unix.PollFd{{Fd: int32(m.signals.fd), Events: unix.POLLIN}}
	owner := []*socket{nil}
	add := func(fd int, s *socket) {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		owner = append(owner, s)
	}
	m.wake = time.Time{}
	for _, s := range m.sockets {
		if s.statusR >= 0 {
			add(s.statusR, s)
		}
		if !m.stopping && m.listening(s) {
			m.verbosef(3, "listening for connections for %s", s)
			add(s.fd, s)
		}
	}
	_, err := unix.Poll(fds, m.timeout())
	if err != nil && !errors.Is(err, unix.EINTR) {
		log.Err("poll failed: %v", err)
		return
	}
	m.signals.drain()
	// Messages before callers: they may tell that somebody is ready after all.
	var callers []*socket
	for i, f := range fds[1:] {
		s := owner[i+1]
		switch {
		case f.Revents == 0:
		case int(f.Fd) == s.statusR:
			m.readMessages(s)
		default:
			callers = append(callers, s)
		}
	}
	for _, s := range callers {
		if s.enabled && s.fd >= 0 && s.ready == 0 && m.places(s) > 0 {
			m.spawn(s)
		}
	}
}

// maxPoll bounds a wait: clocks are set and names change behind our back.
const maxPoll = 10 * time.Second

// timeout is how long poll may wait, in milliseconds, rounded up.
func (m *master) timeout() int {
	now := m.now()
	wait := maxPoll
	if m.hasDead() {
		wait = deadTime
	}
	if !m.wake.IsZero() {
		wait = min(wait, m.wake.Sub(now))
	}
	if next, ok := m.nextEvent(); ok && !m.stopping {
		wait = min(wait, next.Sub(now))
	}
	return int((max(wait, 0) + time.Millisecond - 1) / time.Millisecond)
}

// wakeIn asks for another look after d.
func (m *master) wakeIn(d time.Duration) {
	if t := m.now().Add(d); m.wake.IsZero() || t.Before(m.wake) {
		m.wake = t
	}
}

func (m *master) hasDead() bool {
	for _, c := range m.children {
		if c.state == stateDead {
			return true
		}
	}
	return false
}

// sweep forgets the long dead, warns of those who outlive a SIGHUP, and lets
// go of services that are no more.
func (m *master) sweep() {
	now := m.now()
	if now.Sub(m.swept) < time.Second/time.Duration(m.opts.Janitor) && !now.Before(m.swept) {
		return
	}
	m.swept = now
	for pid, c := range m.children {
		if c.state == stateDead {
			if now.Sub(c.died) > deadTime {
				delete(m.children, pid)
			}
			continue
		}
		m.warnOutlived(c, now)
	}
	keep := m.sockets[:0]
	for _, s := range m.sockets {
		if !s.enabled && s.removed && s.active == 0 {
			m.verbosef(3, "remove: service %s pipe %d %d", s, s.statusR, s.statusW)
			s.closeStatus()
			m.disown(s)
			continue
		}
		keep = append(keep, s)
	}
	m.sockets = keep
}

// disown forgets the dead of a socket that goes away.
func (m *master) disown(s *socket) {
	for pid, c := range m.children {
		if c.svc == s {
			delete(m.children, pid)
		}
	}
}

// patience is how long after a SIGHUP a worker may go on serving without
// remark.
const patience = 30 * time.Second

func (m *master) warnOutlived(c *child, now time.Time) {
	if c.hupped.IsZero() || now.Sub(c.hupped) < patience || c.svc == nil {
		return
	}
	what := "service"
	if c.waiting {
		what = "waitdaemon"
	}
	log.Info("%s %s pid %d in state %d has not yet been recycled since SIGHUP was sent (%ds ago)",
		what, c.svc, c.pid, c.state, int(now.Sub(c.hupped).Seconds()))
	c.hupped = time.Time{}
}
