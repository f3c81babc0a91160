package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
)

func pidFileName(o Options, cfg *config.Config) string {
	if o.PidFile != "" {
		return o.PidFile
	}
	return cfg.Str("master_pid_file")
}

// lockPidFile writes our pid and keeps the file locked for life: the lock says
// that a master runs, the file stays when it has gone.
func (m *master) lockPidFile(name string) error {
	if name == "" {
		return fatalf(exConfig, "couldn't determine pidfile name")
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return fatalf(exOSErr, "can't open pidfile: %v", err)
	}
	if err := lock.Try(f, lock.Exclusive); err != nil {
		f.Close()
		if errors.Is(err, lock.ErrBusy) {
			return fatalf(exOSErr, "cannot get exclusive lock on pidfile (is another master still running?)")
		}
		return fatalf(exOSErr, "cannot lock pidfile: %v", err)
	}
	if err := writeAll(f, fmt.Sprintf("%d\n", os.Getpid())); err != nil {
		return fatalf(exOSErr, "unable to write to pidfile: %v", err)
	}
	m.pidFile = f
	return nil
}

func writeAll(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return f.Sync()
}

func (m *master) readyName() string {
	if m.opts.Ready != "" {
		return m.opts.Ready
	}
	return m.cfg.Str("master_ready_file")
}

// writeReady makes the file by which scripts know that master is up.
func (m *master) writeReady() error {
	name := m.readyName()
	if name == "" {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, nil, 0o644)
	}
	if err != nil {
		return fatalf(exOSErr, "unable to create ready file: fname=<%s>: %v", name, err)
	}
	return nil
}

// removeReady takes it away when master ends.
func (m *master) removeReady() {
	if name := m.readyName(); name != "" {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Err("IOERROR: ready file: %v", err)
		}
	}
}

// redirect leads descriptors 0 to 2, which START and daemons inherit, to
// /dev/null or the -L file.
func (m *master) redirect() error {
	if m.opts.LogFile != "" {
		f, err := os.OpenFile(m.opts.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o666)
		if err != nil {
			return fatalf(2, "couldn't open %s: %v", m.opts.LogFile, err)
		}
		defer f.Close()
		return dup(f, 1, 2)
	}
	if m.opts.Debug {
		return nil
	}
	return dup(m.null, 0, 1, 2)
}

func dup(f *os.File, to ...int) error {
	for _, fd := range to {
		if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil {
			return fatalf(2, "couldn't dup fd %d: %v", fd, err)
		}
	}
	return nil
}

// enterCores makes the working directory one where core files can lie.
func (m *master) enterCores() error {
	if err := os.Chdir(m.cfg.Dir()); err != nil {
		return fatalf(2, "couldn't chdir to %s: %v", m.cfg.Dir(), err)
	}
	os.Chdir("cores") // a site has it or not
	return nil
}
