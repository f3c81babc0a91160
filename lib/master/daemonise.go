package master

import (
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/background"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
)

// daemonise starts the daemon and returns the status that its parent exits
// with: 0 once the pid file is written, which is before START.
func daemonise(pidFile string) int {
	name := pidFile + ".lock"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		log.Err("can't open pidfile lock: %s (%s)", name, strerror(err))
		return exOSErr
	}
	defer f.Close()
	if err := lock.Try(f, lock.Exclusive); err != nil {
		log.Err("can't get exclusive lock on %s", name)
		return exTempFail
	}
	defer os.Remove(name)
	code, err := background.Start(true)
	if err != nil {
		log.Err("can't start daemon: %v", err)
		return exOSErr
	}
	return code
}
