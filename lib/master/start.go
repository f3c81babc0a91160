package master

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// runStart runs the START commands, each to its end. One that fails is
// master's end; status 75 passes, which is how a program says that it was told
// to stop.
func (m *master) runStart(file *masterconf.File) error {
	cred, err := m.startCredential()
	if err != nil {
		return fatalf(exFailed, "can't change to the cyrus user: %v", err)
	}
	for _, e := range file.Start {
		if e.Err != nil {
			return e.Err
		}
		if err := m.runOne(e, cred); err != nil {
			return err
		}
	}
	if err := file.Errs[masterconf.Start]; err != nil {
		return err
	}
	return nil
}

func (m *master) runOne(e masterconf.Entry, cred *syscall.Credential) error {
	path, _ := m.executable(e.Args[0])
	c := &child{kind: "START", name: e.Name, path: path, born: m.now()}
	pid, err := m.start(startUp{path: path, argv: e.Args, fd3: -1, fd4: -1, cred: cred})
	if err != nil {
		log.Crit("can't exec %s for startup: %s", path, strerror(err))
		return fatalf(exFailed, "can't run startup")
	}
	c.pid = pid
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fatalf(exFailed, "waitpid(): %s", strerror(err))
		}
	}
	if m.decode(c, status) {
		return fatalf(exFailed, "can't run startup")
	}
	return nil
}

// startCredential is who START runs as when master still is root: the cyrus
// user, since everything that is made from here on must be that user's.
func (m *master) startCredential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	return credential(m.cfg)
}
