package imapserver

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
)

// metadataView is a mailbox, or the server, whose annotations are read.
type metadataView struct {
	s       *session
	at      *place // nil for the server
	entries []entry
	blind   bool // the user may look the mailbox up, and not read it
	header  indexfile.Header
	updated time.Time
	disks   spaces
}

// openMetadata reads what values are computed from.
func (s *session) openMetadata(at *place) (*metadataView, error) {
	m := &metadataView{s: s, at: at, entries: s.srv.annots.server}
	if at == nil {
		return m, nil
	}
	m.entries = s.srv.annots.mailbox
	m.blind = !s.rules(at.name) && at.rights&acl.Read == 0
	box, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return nil, err
	}
	defer box.Close()
	m.updated = modified(box.Path("index"))
	return m, box.View(s.ctx, func(v *mailbox.View) error {
		m.header = *v.Header()
		return nil
	})
}

// external is the mailbox's name as the user knows it.
func (m *metadataView) external() string {
	if m.at == nil {
		return ""
	}
	return m.at.ext
}

// scope is how the annotation database names the mailbox.
func (m *metadataView) scope() string {
	if m.at == nil {
		return annotate.Server
	}
	return m.at.entry.UniqueID
}

// user is how it names whose private values are meant.
func (s *session) annotUser(at *place) string {
	if at == nil {
		return s.user
	}
	return annotate.UserOf(s.user, at.name.Owner())
}

// storedValue is a value of the database.
type storedValue struct {
	entry   string
	private bool
	value   string
}

// stored are the values for all and the user's own, in order of keys.
func (m *metadataView) stored() (all []storedValue, err error) {
	user := m.s.annotUser(m.at)
	err = m.s.srv.site.Annotations.Scan(m.scope(), func(k annotate.Key, v annotate.Value) error {
		if (k.User == "" || k.User == user) && !v.Deleted {
			all = append(all, storedValue{k.Entry, k.User != "", string(v.Data)})
		}
		return nil
	})
	return all, err
}

// tellFunc is told of a value; it is NIL when ok is false.
type tellFunc func(entry string, private bool, value string, ok bool)

// each calls tell for every value that is asked for, once, in Cyrus's order: what was
// asked for last comes first; of a pattern, first what is stored, then the entries
// that are defined, backwards. A name that is not defined is NIL.
func (m *metadataView) each(ask *annotAsk, tell tellFunc) error {
	stored, err := m.stored()
	if err != nil {
		return err
	}
	w := &metadataWriter{m: m, ask: ask, stored: stored, tell: tell, told: map[storedValue]bool{}}
	for _, item := range slices.Backward(ask.items) {
		if !isPattern(item) {
			w.one(item)
			continue
		}
		match := ask.match(item)
		w.database(match)
		for _, e := range slices.Backward(m.entries) {
			if match(e.name) {
				w.entry(&e)
			}
		}
	}
	return nil
}

// metadataWriter tells of values, of each once.
type metadataWriter struct {
	m      *metadataView
	ask    *annotAsk
	stored []storedValue
	tell   tellFunc
	told   map[storedValue]bool // without values
}

func (w *metadataWriter) put(name string, private bool, value string, ok bool) {
	k := storedValue{entry: name, private: private}
	if w.told[k] || !w.ask.wants(name, private) {
		return
	}
	w.told[k] = true
	w.tell(name, private, value, ok)
}

// database tells of what is stored.
func (w *metadataWriter) database(match func(string) bool) {
	if w.m.blind {
		return
	}
	for _, v := range w.stored {
		if match(v.entry) {
			w.put(v.entry, v.private, v.value, true)
		}
	}
}

// named tells of a name in the database, stored or not.
func (w *metadataWriter) named(name string) {
	w.database(func(s string) bool { return s == name })
	if !w.m.blind {
		w.put(name, true, "", false)
		w.put(name, false, "", false)
	}
}

// one tells of a name.
func (w *metadataWriter) one(name string) {
	for i := range w.m.entries {
		if e := &w.m.entries[i]; e.name == name {
			w.entry(e)
			return
		}
	}
	w.named(name)
}

// entry tells of an entry that is defined.
func (w *metadataWriter) entry(e *entry) {
	switch {
	case w.m.blind && !e.lookup:
	case e.stored():
		w.named(e.name)
	case w.ask.wants(e.name, e.own):
		value, ok := w.m.value(e)
		w.put(e.name, e.own, value, ok)
	}
}

// value is the value of an entry that lies elsewhere than in the database.
func (m *metadataView) value(e *entry) (string, bool) {
	switch {
	case e.computed != nil:
		return e.computed(m)
	case e.option != 0:
		return strconv.FormatBool(m.header.Options&e.option != 0), true
	}
	b, err := os.ReadFile(m.s.srv.msgFile(e.file))
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(line, "\r"), err == nil && line != ""
}

// modified is when a file was last written.
func modified(path string) time.Time {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}
