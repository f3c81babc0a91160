package command

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"gocyrus/lib/config"
)

// errUser is the error of a process of root's that cannot become the cyrus
// user.
var errUser = errors.New("must run as the Cyrus user")

// first is the first of its arguments that is not empty.
func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// User is the name of the user that programs run as: CYRUS_USER of the
// environment, then cyrus_user, then "cyrus".
func User(cfg *config.Config) string {
	return first(os.Getenv("CYRUS_USER"), cfg.Str("cyrus_user"), "cyrus")
}

// Become gives up root for the cyrus user, with that user's supplementary
// groups; the group is CYRUS_GROUP, then cyrus_group, then the user's own. A
// process that is not root's stays who it is: it fails at the first file it may
// not read. The error carries exit status 64.
func Become(cfg *config.Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := become(User(cfg), first(os.Getenv("CYRUS_GROUP"), cfg.Str("cyrus_group"))); err != nil {
		return Fatal(ExUsage, fmt.Errorf("%w: %w", errUser, err))
	}
	return nil
}

func become(name, group string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil || uid == 0 {
		return err // root itself, as tests and containers have it
	}
	gid, err := groupID(u, group)
	if err != nil {
		return err
	}
	groups, err := groupsOf(u, gid)
	if err != nil {
		return err
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setregid(gid, gid); err != nil {
		return fmt.Errorf("set group: %w", err)
	}
	if err := syscall.Setreuid(uid, uid); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	return nil
}

func groupID(u *user.User, group string) (int, error) {
	if group == "" {
		return strconv.Atoi(u.Gid)
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

func groupsOf(u *user.User, gid int) ([]int, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	groups := []int{gid}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		if n != gid {
			groups = append(groups, n)
		}
	}
	return groups, nil
}
