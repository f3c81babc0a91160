package synclog

import (
	"os"
	"strings"
	"time"

	"gocyrus/lib/change"
	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
)

// A note is a letter that says whether its process was suppressed, and a line.
const (
	noteAll        = "A"
	noteSuppressed = "S"
)

// Begin is told of events that are about to happen. They are logged when done is
// called, or by Recover when the process is gone before.
func (l *Log) Begin(events ...change.Event) (done func()) {
	if !l.active() {
		return func() {}
	}
	lines := make([]Line, 0, len(events)+1)
	for i := range events {
		lines = l.appendLines(lines, &events[i])
	}
	return l.BeginLines(lines...)
}

// appendLines adds what an event is in the log.
func (l *Log) appendLines(lines []Line, e *change.Event) []Line {
	switch e.Kind {
	case change.Copied:
		return append(lines, Double(e.Name, e.To))
	case change.Renamed:
		return append(lines, Rename(e.Name, e.To))
	case change.Removed:
		return append(lines, Unmailbox(e.Name), Mailbox(e.Name))
	case change.Limits:
		return append(lines, Quota(e.Name))
	case change.ServerAnnots:
		return append(lines, Annotation(""))
	case change.MailboxAnnots:
		if l.names == nil {
			return lines
		}
		if n, ok := l.names(e.UniqueID); ok {
			return append(lines, Mailbox(n))
		}
		return lines // made just now: its commit is still to come
	case change.SeenBy:
		return append(lines, Seen(e.User, e.UniqueID))
	case change.Subscribed:
		return append(lines, Sub(e.User, e.Name))
	case change.UserRemoved:
		return append(lines, Unuser(e.User))
	case change.UserArrived:
		return append(lines, User(e.User))
	case change.UserRenamed:
		return append(lines, Unuser(e.User), User(e.UserTo))
	}
	log.Err("sync_log(): unknown change %d", e.Kind)
	return lines
}

// BeginLines is Begin of lines.
func (l *Log) BeginLines(lines ...Line) (done func()) {
	suppressed := l.suppressed.Load()
	if !l.active() || len(lines) == 0 {
		return func() {}
	}
	mark := noteAll
	if suppressed {
		mark = noteSuppressed
	}
	notes := make([]*inflight.Note, 0, len(lines))
	for _, n := range lines {
		if n == "" {
			continue
		}
		note, err := l.notes.Begin(mark + string(n))
		if err != nil {
			// Better a line too early, and one more after, than none at all.
			log.Err("IOERROR: sync_log(): note: %v", err)
			l.write([]Line{n}, suppressed)
			continue
		}
		notes = append(notes, note)
	}
	return func() {
		l.write(lines, suppressed)
		for _, n := range notes {
			n.End()
		}
	}
}

// Recover logs what processes that are gone were about to. down is called when the
// machine went down under one of them, which loses notes and the end of the logs: it
// yields all that may have changed since a time shortly before. Others may be at work.
func (l *Log) Recover(down func(since time.Time) ([]Line, error)) error {
	if !l.opt.On {
		return nil
	}
	since := lastNote(l.opt.Notes).Add(-margin)
	return inflight.Recover(l.opt.Notes, func(f inflight.Found) error {
		for _, text := range f.Notes {
			if len(text) > 1 {
				l.write([]Line{Line(text[1:])}, strings.HasPrefix(text, noteSuppressed))
			}
		}
		if !f.Down {
			return nil
		}
		lines, err := down(since)
		log.Notice("sync_log(): the machine went down, logging %d recent changes", len(lines))
		l.write(lines, false)
		return err
	})
}

// margin is how much later a note may be than its file says: the kernel dates a
// mapped file when it writes it out, half a minute after it was changed, and that
// date is on disk some seconds later.
const margin = 5 * time.Minute

// lastNote is a time that no lost note is much older than: that of the file which
// was changed last by the process that changed least.
func lastNote(dir string) time.Time {
	oldest := time.Now()
	list, err := os.ReadDir(dir)
	if err != nil {
		return oldest
	}
	for _, e := range list {
		if st, err := e.Info(); err == nil && st.ModTime().Before(oldest) {
			oldest = st.ModTime()
		}
	}
	return oldest
}
