package master

import (
	"fmt"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// reload is SIGHUP. A file that cannot be used changes nothing: Cyrus's master
// would end and orphan its children.
func (m *master) reload() {
	log.Notice("got SIGHUP")
	want, waits, events, err := m.plan()
	if err != nil {
		log.Crit("%v", err)
		log.Err("configuration not changed")
		return
	}
	// First the signal, then the sockets: a worker must know why its own was
	// shut down.
	for _, c := range m.children {
		if c.svc != nil && c.state != stateDead {
			m.signal(c, unix.SIGHUP)
			c.hupped = m.now()
		}
	}
	m.sockets = m.merge(m.sockets, want)
	m.waits = m.merge(m.waits, waits)
	m.events = schedule(events, m.now())
	log.Notice("Services reconfigured. %s services structures and %s daemon structures are now in use",
		inUse(len(m.sockets)), inUse(len(m.waits)))
}

// inUse prints a count as Cyrus counts its structures, which it makes by fives.
func inUse(n int) string {
	const most = 1<<31 - 1 - 10
	return fmt.Sprintf("%d out of %d (max %d)", n, (n+4)/5*5, most)
}

// plan reads the file again. Entries that are incomplete or come twice are
// left out with a warning; anything worse is an error.
func (m *master) plan() (want, waits []*socket, events []masterconf.Entry, err error) {
	file, err := masterconf.Load(m.opts.Conf)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, s := range []masterconf.Section{masterconf.Services, masterconf.Events, masterconf.Daemon} {
		if err := file.Errs[s]; err != nil {
			return nil, nil, nil, err
		}
	}
	for _, e := range usable(file.Services) {
		group, err := m.group(e)
		if err != nil {
			return nil, nil, nil, err
		}
		want = append(want, group...)
	}
	for _, e := range usable(file.Daemons) {
		s := newSocket(e)
		if err := m.find(s); err != nil {
			return nil, nil, nil, err
		}
		s.fork.since = m.now()
		if e.Wait {
			waits = append(waits, s)
		} else {
			want = append(want, s)
		}
	}
	return want, waits, usable(file.Events), nil
}

func usable(entries []masterconf.Entry) []masterconf.Entry {
	var out []masterconf.Entry
	for _, e := range entries {
		if e.Err != nil {
			log.Warning("WARNING: %v -- ignored", e.Err)
			continue
		}
		out = append(out, e)
	}
	return out
}

// merge makes have into want. A socket on the same address stays open and
// takes the new settings over; others are closed, and new ones are bound only
// then, since they may overlap.
func (m *master) merge(have, want []*socket) []*socket {
	old := map[string]*socket{}
	for _, s := range have {
		if !s.removed {
			old[s.identity()] = s
		}
	}
	var out, fresh []*socket
	for _, w := range want {
		s := old[w.identity()]
		if s == nil {
			s = w
			fresh = append(fresh, s)
		} else {
			delete(old, w.identity())
			s.adopt(w)
			if s.fd < 0 && !s.isDaemon() {
				fresh = append(fresh, s)
			}
		}
		out = append(out, s)
	}
	for _, s := range have {
		if s.removed || old[s.identity()] == s {
			m.verbosef(3, "disable: service %s socket %d pipe %d %d", s, s.fd, s.statusR, s.statusW)
			s.enabled, s.removed = false, true
			s.closeSocket()
			out = append(out, s) // until its last worker has gone
		}
	}
	for _, s := range fresh {
		if s.isDaemon() {
			continue
		}
		if err := m.open(s); err != nil {
			log.Err("%v", err)
		}
	}
	m.reportUnbound(fresh)
	return out
}

// identity is what makes two sockets the same across a reload.
func (s *socket) identity() string { return s.name + "\x00" + s.family + "\x00" + s.key }

// adopt takes the settings of w over, and forgives past failures.
func (s *socket) adopt(w *socket) {
	s.configure(w.entry)
	s.path, s.sessions, s.multi, s.id, s.address = w.path, w.sessions, w.multi, w.id, w.address
	s.readyFails = 0
}
