package site

import (
	"os"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/synclog"
)

// nameOf is the name of a mailbox.
func (s *Site) nameOf(uniqueID string) (mboxname.Name, bool) {
	e, err := s.List.LookupID(uniqueID)
	if err != nil || e.Deleted() {
		return "", false
	}
	return e.Name, true
}

// recent are the lines of all that may have changed since a time, but for what the
// store of mailboxes tells of by itself: for when the machine went down and took the
// end of the logs along. It says rather too much.
func (s *Site) recent(since time.Time) ([]synclog.Line, error) {
	lines := []synclog.Line{synclog.Annotation("")}
	err := s.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err != nil {
			return nil // is not there for a replica either
		}
		if e.MTime >= since.Unix() {
			lines = append(lines, s.entryLines(e)...)
		}
		if e.Name.IsInbox() && !e.Deleted() {
			lines = append(lines, s.userLines(e, since)...)
		}
		return nil
	})
	if err != nil {
		return lines, err
	}
	err = s.Quota.Scan("", func(q *quota.Root) error {
		lines = append(lines, synclog.Quota(q.Name))
		return nil
	})
	return lines, err
}

// entryLines are the lines of a mailbox that was made, renamed or removed.
func (s *Site) entryLines(e *mboxlist.Entry) []synclog.Line {
	if e.Deleted() {
		lines := []synclog.Line{synclog.Unmailbox(e.Name)}
		if e.Name.IsInbox() {
			lines = append(lines, synclog.Unuser(e.Name.Owner()))
		}
		return lines
	}
	lines := []synclog.Line{synclog.Mailbox(e.Name)}
	full, err := s.List.LookupID(e.UniqueID)
	if err != nil {
		log.Err("DBERROR: former names of %s: %v", e.Name, err)
		return lines
	}
	for _, f := range full.History {
		lines = append(lines, synclog.Rename(f.Name, e.Name))
	}
	return lines
}

// userLines are the lines of a user whose own files were changed.
func (s *Site) userLines(inbox *mboxlist.Entry, since time.Time) []synclog.Line {
	userid, id := inbox.Name.Owner(), inbox.UniqueID
	if inbox.Is(mboxlist.FlagLegacy) {
		id = ""
	}
	for _, suffix := range []string{"sub", "seen"} {
		st, err := os.Stat(s.Layout.UserFile(userid, suffix, id))
		if err == nil && !st.ModTime().Before(since) {
			return []synclog.Line{synclog.Meta(userid)}
		}
	}
	return nil
}
