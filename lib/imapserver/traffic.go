package imapserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gocyrus/lib/log"
)

// logTraffic writes what Cyrus writes at the end of a user's session. The
// processor time of one session among many in a process cannot be told: USAGE
// has the time the session spent in commands in its place.
func (s *session) logTraffic() {
	busy := s.busy.Seconds()
	log.Notice("USAGE %s user: %.6f sys: %.6f", s.user, busy, 0.0)
	log.Notice("session ended: sessionid=<%s> userid=<%s> id.name=<%s> ", s.svc.ID(), s.user, s.idName)
	if s.srv.opts.Audit {
		in, out := s.in.Counters()
		log.Notice("auditlog: traffic sessionid=<%s> bytes_in=<%d> bytes_out=<%d>", s.svc.ID(), in-s.read, out-s.sent)
	}
}

// startTelemetry copies the session into log/USER, where an administrator has
// made that directory.
func (s *session) startTelemetry() {
	if s.srv.opts.LogDir == "" || s.user == "" || filepath.Base(s.user) != s.user {
		return
	}
	dir := filepath.Join(s.srv.opts.LogDir, s.user)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return
	}
	name := s.svc.Service + "-" + strconv.Itoa(os.Getpid()) + "-" + s.svc.ID()
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(name)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		log.Debug("telemetry of %s: %v", s.user, err)
		return
	}
	fmt.Fprintf(f, "---------- %s %s\n\n", s.user, time.Now().Format("Mon Jan _2 15:04:05 2006"))
	s.in.StartTelemetry(f)
}
