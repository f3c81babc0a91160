package service

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gocyrus/lib/log"
)

// Telemetry is the file that a session of user's is copied into: in a directory
// of dir that is named as the user, where an administrator has made one; else nil.
// It begins with a line that says whose session it is and when it began.
func (s *Session) Telemetry(dir, user string) *os.File {
	if dir == "" || user == "" || filepath.Base(user) != user {
		return nil
	}
	dir = filepath.Join(dir, user)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return nil
	}
	name := s.Service + "-" + strconv.Itoa(os.Getpid()) + "-" + s.ID()
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(name)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		log.Debug("telemetry of %s: %v", user, err)
		return nil
	}
	fmt.Fprintf(f, "---------- %s %s\n\n", user, time.Now().Format("Mon Jan _2 15:04:05 2006"))
	return f
}
