package mailbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"gocyrus/lib/change"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
)

// An outcome is what a round of updates leaves to be done outside of the locks:
// the sinks are told, and only then the note of the change is withdrawn. So a
// process that is killed in between leaves a note, and Recover tells them.
type outcome struct {
	commit *change.Commit // nil when nothing has changed
	note   *pending       // nil when there is none, or it has to stay
}

func (s *Store) tell(o outcome) {
	if o.commit != nil {
		for _, k := range s.sinks {
			k.Committed(o.commit)
		}
	}
	o.note.end()
}

// tellOf tells the sinks of the mailboxes that notes name, and of those that have
// changed since a time when the machine went down.
func (s *Store) tellOf(f inflight.Found, since time.Time) error {
	if len(s.sinks) == 0 {
		return nil
	}
	var ids []string
	for _, text := range f.Notes {
		id, _, _ := strings.Cut(text, "\x00")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		e, err := s.list.LookupID(id)
		if errors.Is(err, mboxlist.ErrNotFound) {
			continue // removed meanwhile, or never finished
		}
		if err != nil {
			return err
		}
		if local(e) {
			s.tell(outcome{commit: unseenCommit(e)})
		}
	}
	if !f.Down {
		return nil
	}
	boxes, err := s.changedSince(since)
	log.Notice("the machine went down: %d mailboxes have changed since %s", len(boxes), since.Format(time.RFC3339))
	for _, e := range boxes {
		s.tell(outcome{commit: unseenCommit(e)})
	}
	return err
}

// unseenCommit is a change of which nothing is known but that there was one.
func unseenCommit(e *mboxlist.Entry) *change.Commit {
	return &change.Commit{Name: e.Name, UniqueID: e.UniqueID, UIDValidity: e.UIDValidity, Header: true}
}

// noteDelay is how much later a note may be than the time of its file says: the
// kernel dates a mapped file when its pages are cleaned, every half minute, and a
// file system writes dates some seconds later.
const noteDelay = 5 * time.Minute

// lastNotes is a time that no note is older than that a crash of the machine may
// have lost: a process whose file is older has changed nothing since.
func (s *Store) lastNotes() time.Time {
	oldest := time.Now()
	list, err := os.ReadDir(s.notesDir())
	if err != nil {
		return oldest // there is nothing to recover either
	}
	for _, e := range list {
		if st, err := e.Info(); err == nil && st.ModTime().Before(oldest) {
			oldest = st.ModTime()
		}
	}
	return oldest.Add(-noteDelay)
}

// changedSince are the mailboxes whose index was written since then. An index is
// synced without its date, which may be lost with the last seconds: so the date
// of the last append counts too.
func (s *Store) changedSince(since time.Time) (all []*mboxlist.Entry, err error) {
	boxes, err := s.below("")
	if err != nil {
		return nil, err
	}
	for _, e := range boxes {
		changed, err := s.isChangedSince(e, since)
		if err != nil {
			// What it is like cannot be told: better too much.
			log.Err("IOERROR: %v", err)
		}
		if changed || err != nil {
			all = append(all, e)
		}
	}
	return all, nil
}

func (s *Store) isChangedSince(e *mboxlist.Entry, since time.Time) (bool, error) {
	p, err := s.pathsOf(e)
	if err != nil {
		return false, err
	}
	f, err := os.Open(p.index)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !st.ModTime().Before(since) {
		return true, nil
	}
	head := make([]byte, indexfile.MaxHeader)
	n, _ := f.ReadAt(head, 0)
	h, err := indexfile.ParseHeader(head[:n])
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.index, err)
	}
	return int64(h.LastAppendDate) >= since.Unix(), nil
}
