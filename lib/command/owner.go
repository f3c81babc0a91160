package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// BecomeOwner makes a process that runs as root go on as the owner of path, or,
// when that is not there yet, of the nearest directory above it: what it then
// writes stays readable to the daemons whose store it is. What belongs to root
// changes nothing.
func BecomeOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	for {
		err := syscall.Stat(path, &st)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOENT) || path == "/" {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		path = filepath.Dir(path)
	}
	if st.Uid == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{int(st.Gid)}); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setregid(int(st.Gid), int(st.Gid)); err != nil {
		return fmt.Errorf("set group: %w", err)
	}
	if err := syscall.Setreuid(int(st.Uid), int(st.Uid)); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	return nil
}
