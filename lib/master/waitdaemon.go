package master

import (
	"errors"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// readyWord is what a DAEMON with wait=yes writes to descriptor 3.
const readyWord = "ok\r\n"

// startWaitDaemons starts them in order, each once the one before is ready.
func (m *master) startWaitDaemons() error {
	for _, s := range m.waits {
		if err := m.startWaitDaemon(s); err != nil {
			if m.waitGroup > 0 {
				unix.Kill(-m.waitGroup, unix.SIGTERM)
			}
			return err
		}
	}
	return nil
}

func (m *master) startWaitDaemon(s *socket) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		log.Err("ERROR: unable to spawn waitdaemon %s: pipe failed: %s", s, strerror(err))
		return fatalf(exOSErr, "unable to spawn waitdaemon %s", s)
	}
	defer unix.Close(p[0])
	pid, err := m.start(startUp{
		path: s.path, argv: s.entry.Args, maxfds: s.entry.Maxfds, fd3: p[1], fd4: -1,
		env:   []string{"CYRUS_SERVICE=" + s.name, "CYRUS_ID=0", "CYRUS_ISDAEMON=1"},
		group: &m.waitGroup,
	})
	unix.Close(p[1])
	if err != nil {
		log.Err("ERROR: unable to spawn waitdaemon %s: fork failed: %s", s, strerror(err))
		return fatalf(exOSErr, "unable to spawn waitdaemon %s", s)
	}
	m.started(&child{pid: pid, kind: "DAEMON", name: s.name, path: s.path, svc: s,
		state: stateReady, places: 1, waiting: true})
	if !saysReady(p[0]) {
		log.Err(`ERROR: waitdaemon %s did not write "ok\r\n" to fd 3`, s)
		return fatalf(exConfig, "unable to spawn waitdaemon %s", s)
	}
	return nil
}

// saysReady reads the word, or the end of a daemon that closes the pipe.
func saysReady(fd int) bool {
	var got []byte
	for len(got) < len(readyWord) {
		var b [len(readyWord)]byte
		n, err := unix.Read(fd, b[:len(readyWord)-len(got)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		got = append(got, b[:n]...)
	}
	return string(got) == readyWord
}

// stopWaitDaemons ends them in reverse order, one after the other, for as long
// as each takes.
func (m *master) stopWaitDaemons() {
	for i := len(m.waits) - 1; i >= 0; i-- {
		s := m.waits[i]
		for _, c := range m.children {
			if c.svc == s && c.state != stateDead {
				m.stopWaitDaemon(s, c)
			}
		}
	}
}

func (m *master) stopWaitDaemon(s *socket, c *child) {
	if err := unix.Kill(c.pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		log.Err("kill child %d of %s: %s", c.pid, s, strerror(err))
		return
	}
	log.Notice("waiting for child %d of %s to exit...", c.pid, s)
	var status unix.WaitStatus
	_, err := unix.Wait4(c.pid, &status, 0, nil)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(c.pid, &status, 0, nil)
	}
	if err != nil {
		log.Err("waitpid %d: %s", c.pid, strerror(err))
		return
	}
	how, detail := "exited with status", status.ExitStatus()
	if status.Signaled() {
		how, detail = "killed with signal", int(status.Signal())
	}
	log.Notice("child %d of %s %s %d", c.pid, s, how, detail)
	m.buriedQuietly(c)
}
