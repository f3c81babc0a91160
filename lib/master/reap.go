package master

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/proc"
)

// reap buries every child that has ended.
func (m *master) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		m.buried(pid, status)
	}
}

func (m *master) buried(pid int, status unix.WaitStatus) {
	c := m.children[pid]
	if c == nil || c.state == stateDead {
		// As the first process of a container master inherits strangers.
		if os.Getpid() != 1 {
			log.Err("received SIGCHLD from unknown child pid %d, ignoring", pid)
		}
		return
	}
	failed := m.decode(c, status)
	// A crash leaves the worker's file, and its sessions would go on counting
	// against the login limits.
	if err := proc.Remove(m.procDir, pid); err != nil {
		log.Err("IOERROR: proc file of %d: %v", pid, err)
	}
	m.ended(c, failed)
}

// decode logs how a child ended and says whether it failed.
func (m *master) decode(c *child, status unix.WaitStatus) (failed bool) {
	desc := c.describe(m.now())
	switch {
	case status.Signaled():
		core := ""
		if status.CoreDump() {
			core = ", core dumped"
		}
		log.Err("%s signaled to death by signal %d (%s%s)", desc, int(status.Signal()), signalName(status.Signal()), core)
		return true
	case status.ExitStatus() == 0:
		log.Debug("%s exited normally", desc)
	case status.ExitStatus() == exTempFail:
		log.Debug("%s was killed", desc)
	default:
		log.Err("%s exited, status %d", desc, status.ExitStatus())
		return true
	}
	return false
}

// signalName is what strsignal(3) says.
func signalName(s unix.Signal) string {
	if name, ok := signalNames[s]; ok {
		return name
	}
	return capital(s.String())
}

var signalNames = map[unix.Signal]string{
	unix.SIGSEGV: "Segmentation fault",
	unix.SIGKILL: "Killed",
	unix.SIGABRT: "Aborted",
	unix.SIGTERM: "Terminated",
	unix.SIGHUP:  "Hangup",
	unix.SIGBUS:  "Bus error",
	unix.SIGFPE:  "Floating point exception",
	unix.SIGILL:  "Illegal instruction",
	unix.SIGQUIT: "Quit",
	unix.SIGINT:  "Interrupt",
	unix.SIGPIPE: "Broken pipe",
	unix.SIGALRM: "Alarm clock",
	unix.SIGXCPU: "CPU time limit exceeded",
}
