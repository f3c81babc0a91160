package synclog

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// The lines bear no time, and Cyrus could not read them if they did. So the age of a
// log is that of its file. Where the file system does not record that, or entries
// are older than the file because they were put back, an empty file beside it bears
// the time as its own.

const (
	runSuffix  = "-run"      // of a log that a reader has taken
	bornSuffix = "-since"    // of the file whose modification time is that of the oldest entry
	okSuffix   = "-complete" // of the file whose modification time is that of the last success
)

// markBirth notes the age of a new log where the file system does not.
func markBirth(f *os.File) {
	if _, ok := btime(f.Name()); ok {
		return
	}
	if err := stamp(f.Name()+bornSuffix, time.Now()); err != nil {
		log.Err("IOERROR: sync_log(): %v", err)
	}
}

// btime is when a file was made, if that is recorded.
func btime(path string) (time.Time, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}

// stamp makes a file, or sets the time of one that is there.
func stamp(path string, t time.Time) error {
	err := os.Chtimes(path, t, t)
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, t, t)
}

// since is the age of the oldest entry of a log: false when there is no log.
func since(path string) (time.Time, bool) {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}, false
	}
	t := st.ModTime()
	if born, ok := btime(path); ok && born.Before(t) {
		t = born
	}
	if st, err := os.Stat(path + bornSuffix); err == nil && st.ModTime().Before(t) {
		t = st.ModTime()
	}
	return t, true
}
