package master

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"gocyrus/lib/log"
)

// envLimit carries a child's maxfds, and the path of its program, through the
// program that sets the limit: ourselves. Between fork and exec a Go program
// can run nothing of its own.
const envLimit = "GOCYRUS_MASTER_MAXFDS"

// limited wraps u: this program is started, lowers its limit and becomes the
// real one, under the same pid.
func limited(u startUp, attr *syscall.ProcAttr) (path string, argv []string) {
	attr.Env = append(attr.Env, envLimit+"="+strconv.Itoa(u.maxfds)+":"+u.path)
	return "/proc/self/exe", u.argv
}

// RunLimited is the first thing a program that runs master does: when it was
// started to set a limit for somebody else it does that and does not return.
func RunLimited() {
	job, ok := os.LookupEnv(envLimit)
	if !ok {
		return
	}
	os.Unsetenv(envLimit)
	n, path, _ := strings.Cut(job, ":")
	limit, err := strconv.ParseUint(n, 10, 32)
	if err == nil {
		err = limitFiles(limit)
	}
	if err != nil {
		log.Err("setrlimit: Unable to set file descriptors limit to %s: %s", n, strerror(err))
	}
	err = syscall.Exec(path, os.Args, os.Environ())
	log.Err("couldn't exec %s: %s", path, strerror(err))
	os.Exit(exOSErr)
}

// limitFiles sets the soft limit of open files, to the hard one at the most.
func limitFiles(n uint64) error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	if n > lim.Max {
		log.Warning("limit_fds: requested %d, but capped to %d", n, lim.Max)
		n = lim.Max
	}
	lim.Cur = n
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return errors.Join(err)
	}
	return nil
}
