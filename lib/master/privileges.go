package master

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gocyrus/lib/command"
	"gocyrus/lib/config"
)

// becomeKeepingPorts becomes the cyrus user and keeps nothing of root but the
// right to bind low ports, so that a reload can open one. Capabilities belong
// to threads, and only a program without cgo can change those of all: with
// cgo it changes nothing and returns false. A process that is not root's stays
// who it is.
func becomeKeepingPorts(cfg *config.Config) (bool, error) {
	if os.Geteuid() != 0 {
		return true, nil
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0)
	if errno == syscall.ENOTSUP {
		return false, nil
	}
	if errno != 0 {
		return false, errno
	}
	if err := command.Become(cfg); err != nil {
		return false, err
	}
	if os.Geteuid() == 0 {
		return true, nil // the cyrus user is root
	}
	return true, keepOnly(unix.CAP_NET_BIND_SERVICE)
}

// keepOnly reduces the capabilities of every thread to one. What is started
// from here on has none: nothing is inheritable.
func keepOnly(capability uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	data[capability/32].Effective = 1 << (capability % 32)
	data[capability/32].Permitted = 1 << (capability % 32)
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// credential is the cyrus user as a child's identity.
func credential(cfg *config.Config) (*syscall.Credential, error) {
	u, err := user.Lookup(command.User(cfg))
	if err != nil {
		return nil, err
	}
	gidText := u.Gid
	if name := groupName(cfg); name != "" {
		g, err := user.LookupGroup(name)
		if err != nil {
			return nil, err
		}
		gidText = g.Gid
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	numbers, err := toNumbers(append([]string{u.Uid, gidText}, ids...))
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[1:]}, nil
}

func groupName(cfg *config.Config) string {
	if g := os.Getenv("CYRUS_GROUP"); g != "" {
		return g
	}
	return cfg.Str("cyrus_group")
}

func toNumbers(texts []string) ([]uint32, error) {
	var out []uint32
	for _, t := range texts {
		n, err := strconv.ParseUint(t, 10, 32)
		if err != nil {
			return nil, errors.Join(err)
		}
		out = append(out, uint32(n))
	}
	return out, nil
}
