package master

import (
	"errors"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/proc"
)

// beginShutdown tells everyone to stop. From here on nothing is started, and
// the loop ends with the last worker.
func (m *master) beginShutdown() {
	if m.stopping {
		return // our own signal to our group came back
	}
	m.stopping = true
	log.Info("attempting clean shutdown on signal")
	if unix.Getpgrp() == unix.Getpid() {
		// The group reaches those too that put themselves into the background.
		if err := unix.Kill(0, unix.SIGTERM); err != nil {
			log.Err("begin_shutdown: kill(0, SIGTERM): %s", strerror(err))
		}
		return
	}
	// The group is somebody else's, a shell script's or make's.
	for _, c := range m.children {
		if c.state != stateDead && !c.waiting {
			m.signal(c, unix.SIGTERM)
		}
	}
}

func (m *master) signal(c *child, sig unix.Signal) {
	if err := unix.Kill(c.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		log.Err("kill %d: %s", c.pid, strerror(err))
	}
}

// end is after the loop.
func (m *master) end() {
	m.stopWaitDaemons()
	m.removeReady()
	for _, c := range m.children {
		if c.inProc && c.state != stateDead {
			proc.Remove(m.procDir, c.pid) // an event that is not waited for
		}
	}
	log.Notice("All children have exited, closing down")
}

// buriedQuietly takes a child off the books whose end was waited for and
// logged already.
func (m *master) buriedQuietly(c *child) {
	proc.Remove(m.procDir, c.pid)
	c.state, c.died, c.places = stateDead, m.now(), 0
	c.svc.ready, c.svc.active = 0, 0
}
