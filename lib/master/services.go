package master

import (
	"context"
	"fmt"

	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// configure reads SERVICES, EVENTS and DAEMON at the start, where any mistake
// is the end.
func (m *master) configure(file *masterconf.File) error {
	if err := file.Err(); err != nil {
		return err
	}
	for _, e := range file.Services {
		group, err := m.group(e)
		if err != nil {
			return fatalf(exConfig, "%v", err)
		}
		m.sockets = append(m.sockets, group...)
	}
	m.events = schedule(file.Events, m.now())
	for _, e := range file.Daemons {
		s := newSocket(e)
		if err := m.find(s); err != nil {
			return fatalf(exConfig, "%v", err)
		}
		s.fork.since = m.now()
		if e.Wait {
			m.waits = append(m.waits, s)
		} else {
			m.sockets = append(m.sockets, s)
		}
	}
	for _, e := range file.Events {
		for _, note := range e.Notes {
			log.Debug("%s", note)
		}
	}
	return nil
}

// group makes the sockets of one service, not bound yet: one for each address.
// A service whose listen leads nowhere has none, and the log knows why.
func (m *master) group(e masterconf.Entry) ([]*socket, error) {
	for _, note := range e.Notes {
		log.Debug("%s", note)
	}
	model := newSocket(e)
	if err := m.find(model); err != nil {
		return nil, err
	}
	addrs, err := addresses(context.Background(), e)
	if err != nil {
		return nil, nil
	}
	var group []*socket
	for i, a := range addrs {
		s := *model
		s.family, s.id, s.key, s.address = a.family, i, fmt.Sprint(a.kind, a.text), a
		s.fork.since = m.now()
		group = append(group, &s)
	}
	return group, nil
}

// bindAll binds at the start, as root when master still is.
func (m *master) bindAll() error {
	failFast := m.cfg.Bool("master_bind_errors_fatal")
	for _, s := range m.sockets {
		if s.isDaemon() {
			continue
		}
		if err := m.open(s); err != nil {
			if failFast {
				return fatalf(exUnavailable, "%v", err)
			}
			log.Err("%v", err)
		}
	}
	m.reportUnbound(m.sockets)
	return nil
}

// open binds s and makes its status pipe. A socket that cannot be bound is
// left disabled.
func (m *master) open(s *socket) error {
	m.verbosef(3, "activating service %s", s)
	if s.statusR < 0 {
		if err := s.openStatus(); err != nil {
			s.enabled = false
			return err
		}
	}
	if err := m.bind(s, s.address); err != nil {
		s.enabled = false
		return err
	}
	s.enabled = true
	m.verbosef(3, "init: service %s socket %d pipe %d %d", s, s.fd, s.statusR, s.statusW)
	return nil
}

// reportUnbound names the services none of whose sockets could be had.
func (m *master) reportUnbound(sockets []*socket) {
	bound, order := map[string]bool{}, []string{}
	for _, s := range sockets {
		if s.isDaemon() {
			continue
		}
		if _, seen := bound[s.name]; !seen {
			order = append(order, s.name)
		}
		bound[s.name] = bound[s.name] || s.fd >= 0
	}
	for _, name := range order {
		if !bound[name] {
			log.Err("unable to create %s listener socket", name)
		}
	}
}

// sessionsOf is sessions_per_process as the workers of a service will read it.
// Master is the one who spreads maxchild over them.
func (m *master) sessionsOf(name string) int {
	cfg, err := config.Load(m.opts.Config, name)
	if err != nil {
		cfg = m.cfg
	}
	return max(cfg.Int("sessions_per_process"), 1)
}
