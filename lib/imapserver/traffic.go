package imapserver

import (
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
	if f := s.svc.Telemetry(s.srv.opts.LogDir, s.user); f != nil {
		s.in.StartTelemetry(f)
	}
}
