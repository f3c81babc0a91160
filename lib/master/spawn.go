package master

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
	"gocyrus/lib/proc"
	"gocyrus/lib/service"
)

// startUp is how a process is started.
type startUp struct {
	path   string
	argv   []string
	env    []string // beyond master's own
	fd3    int      // -1 is /dev/null
	fd4    int
	maxfds int
	group  *int                // process group to join; 0 makes one
	cred   *syscall.Credential // nil stays who master is
}

// start runs a program and returns its pid. Master's loop waits for it.
func (m *master) start(u startUp) (int, error) {
	null := int(m.null.Fd())
	files := []uintptr{0, 1, 2, uintptr(null), uintptr(null)}
	if u.fd3 >= 0 {
		files[3] = uintptr(u.fd3)
	}
	if u.fd4 >= 0 {
		files[4] = uintptr(u.fd4)
	}
	attr := &syscall.ProcAttr{
		Env:   append(m.environ(), u.env...),
		Files: files,
		Sys:   &syscall.SysProcAttr{Credential: u.cred},
	}
	if u.group != nil {
		attr.Sys.Setpgid, attr.Sys.Pgid = true, *u.group
	}
	path, argv := u.path, u.argv
	if u.maxfds > 0 {
		path, argv = limited(u, attr)
	}
	log.Debug("about to exec %s", u.path)
	return syscall.ForkExec(path, argv, attr)
}

// environ is master's own environment, without what it keeps for itself.
func (m *master) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(privateEnv, name)
	})
	if m.opts.Debug {
		env = append(env, service.EnvStderr+"=1")
	}
	return env
}

var privateEnv = []string{
	service.EnvSessions, service.EnvPrefork, service.EnvStderr,
	"CYRUS_SERVICE", "CYRUS_ID", "CYRUS_ISDAEMON", envLimit,
}

// spawn starts a worker of s. It does nothing when s forks too fast.
func (m *master) spawn(s *socket) {
	if s.fork.limited(m.now()) {
		m.wakeIn(forkPause)
		return
	}
	u := startUp{
		path: s.path, argv: s.entry.Args, maxfds: s.entry.Maxfds,
		env: []string{"CYRUS_SERVICE=" + s.name, fmt.Sprintf("CYRUS_ID=%d", s.id)},
		fd3: s.statusW, fd4: s.fd,
	}
	places := 1
	if s.multi {
		places = min(s.sessions, m.places(s))
		u.env = append(u.env,
			fmt.Sprintf("%s=%d", service.EnvSessions, places),
			fmt.Sprintf("%s=%d", service.EnvPrefork, s.entry.Prefork))
	}
	kind := "SERVICE"
	if s.isDaemon() {
		kind = "DAEMON"
		u.env = append(u.env, "CYRUS_ISDAEMON=1")
		if s.entry.Wait {
			u.group = &m.waitGroup
		}
	}
	pid, err := m.start(u)
	if err != nil {
		m.execFailed(s, err)
		return
	}
	m.started(&child{pid: pid, kind: kind, name: s.name, path: s.path, svc: s,
		state: stateReady, places: places, waiting: s.entry.Wait})
}

// started puts a new child on the books.
func (m *master) started(c *child) {
	c.born = m.now()
	m.children[c.pid] = c
	if s := c.svc; s != nil {
		s.ready++
		s.active++
		s.forks++
		s.fork.forks++
	}
	if c.waiting && m.waitGroup == 0 {
		m.waitGroup = c.pid
	}
	if c.kind == "DAEMON" || c.kind == "EVENT" {
		c.inProc = true
		if err := proc.Write(m.procDir, proc.Info{PID: c.pid, Service: c.name}); err != nil {
			log.Err("ERROR: unable to register process %d for %s %s: %v", c.pid, strings.ToLower(c.kind), c.name, err)
		}
	}
}

// execFailed treats a program that could not even be started as a worker that
// failed while it was ready, as it is where fork and exec are two steps.
func (m *master) execFailed(s *socket, err error) {
	log.Err("couldn't exec %s: %s", s.path, strerror(err))
	s.fork.forks++
	m.readyFailure(s, &child{svc: s, waiting: s.entry.Wait})
	m.wakeIn(forkPause)
}

// man sees to it that s has the workers it needs.
func (m *master) man(s *socket) {
	switch {
	case !s.enabled:
	case s.entry.Babysit && s.active == 0:
		if s.forks > 0 {
			log.Err("lost all children for service: %s.  Applying babysitter.", s)
		}
		m.spawn(s)
	case s.ready < s.wanted() && m.places(s) > 0:
		m.verbosef(1, "service %s needs %d more ready workers", s, s.wanted()-s.ready)
		for n := s.wanted() - s.ready; n > 0 && s.enabled && m.places(s) > 0; n-- {
			m.spawn(s)
		}
	}
}

// listening says whether a connection to s is master's to notice: nobody is
// ready to take it and another worker is allowed.
func (m *master) listening(s *socket) bool {
	if !s.enabled || s.fd < 0 || s.ready > 0 || m.places(s) <= 0 {
		return false
	}
	if s.fork.limited(m.now()) {
		m.wakeIn(forkPause)
		return false
	}
	return true
}

// find completes an entry's socket by its program. The error says what is
// wrong with it, in Cyrus's words.
func (m *master) find(s *socket) error {
	path, ok := m.executable(s.entry.Args[0])
	if !ok {
		return fmt.Errorf("cannot find executable for %s '%s'", word(s.entry), s.name)
	}
	s.path = path
	s.sessions, s.multi = 1, false
	if !s.isDaemon() && strings.HasPrefix(s.entry.Proto, "tcp") && servesMany(path) {
		s.multi = true
		s.sessions = m.sessionsOf(s.name)
	}
	return nil
}

func word(e masterconf.Entry) string {
	switch {
	case e.Wait:
		return "waitdaemon"
	case e.Section == masterconf.Daemon:
		return "daemon"
	}
	return "service"
}
