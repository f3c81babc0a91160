package imapserver

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/annotate"
	"gocyrus/lib/config"
	"gocyrus/lib/glob"
	"gocyrus/lib/indexfile"
)

// metadataView is a mailbox, or the server, whose annotations are read.
type metadataView struct {
	s       *session
	at      *place // nil for the server
	entries []entry
	header  indexfile.Header
	updated time.Time
	space   spaces
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

// each calls tell for every value that q asks for: the stored ones in their
// order, then all others that are defined, or were named, as Cyrus does.
func (m *metadataView) each(q *metadataQuery, tell func(entry, value string, ok bool)) error {
	told := map[string]bool{}
	say := func(name, value string, ok bool) {
		if !told[name] {
			told[name] = true
			tell(name, value, ok)
		}
	}
	user := m.s.annotUser(m.at)
	err := m.s.srv.site.Annotations.Scan(m.scope(), func(k annotate.Key, v annotate.Value) error {
		name := "/shared" + k.Entry
		if k.User != "" {
			name = "/private" + k.Entry
		}
		if (k.User == "" || k.User == user) && !v.Deleted && q.wants(name) {
			say(name, string(v.Data), true)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if q.depth != 0 || slices.ContainsFunc(q.entries, isPattern) {
		m.below(q, say)
	}
	// Those that were named come last, and backwards.
	for _, name := range slices.Backward(q.entries) {
		if isPattern(name) {
			continue
		}
		value, ok := m.named(name)
		say(name, value, ok)
	}
	return nil
}

// below tells of the defined entries that the query's depth reaches.
func (m *metadataView) below(q *metadataQuery, say func(name, value string, ok bool)) {
	for i := range m.entries {
		e := &m.entries[i]
		if name := "/private" + e.name; e.private && q.wants(name) {
			value, ok := "", false
			if !e.shared { // or else what is not in the database is the shared one
				value, ok = m.value(e)
			}
			say(name, value, ok)
		}
		if name := "/shared" + e.name; e.shared && q.wants(name) {
			value, ok := m.value(e)
			say(name, value, ok)
		}
	}
}

// named is the value of one entry, unless the database has it.
func (m *metadataView) named(name string) (string, bool) {
	for i := range m.entries {
		e := &m.entries[i]
		if "/shared"+e.name == name && e.shared || "/private"+e.name == name && !e.shared {
			return m.value(e)
		}
	}
	return "", false
}

// value is the value of an entry that lies elsewhere than in the database.
func (m *metadataView) value(e *entry) (string, bool) {
	switch {
	case e.computed != nil:
		return e.computed(m)
	case e.option != 0:
		return strconv.FormatBool(m.header.Options&e.option != 0), true
	case e.file != "":
		b, err := os.ReadFile(m.s.srv.msgFile(e.file))
		return strings.TrimRight(string(b), "\r\n"), err == nil
	}
	return "", false
}

// isPattern says whether an entry names many: cyradm asks for "/shared/*".
func isPattern(entry string) bool { return strings.ContainsAny(entry, "*%") }

// wants says whether the query asks for an entry, by name, pattern or depth.
func (q *metadataQuery) wants(name string) bool {
	for _, e := range q.entries {
		if name == e || isPattern(e) && glob.Compile(e, '/').Match(name) {
			return true
		}
		rest, below := strings.CutPrefix(name, e+"/")
		if below && (q.depth < 0 || q.depth == 1 && !strings.Contains(rest, "/")) {
			return true
		}
	}
	return false
}

// modified is when a file was last written.
func modified(path string) time.Time {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

// space is one file system, in units of 1024 octets.
type space struct{ avail, size uint64 }

func (s space) String() string { return decimal(s.avail) + ";" + decimal(s.size) }

// spaces are the file systems that the partitions lie on.
type spaces []space

func diskSpace(parts []config.Partition) spaces {
	var all spaces
	seen := map[unix.Fsid]bool{}
	for _, p := range parts {
		var st unix.Statfs_t
		if unix.Statfs(p.Data, &st) != nil || seen[st.Fsid] {
			continue
		}
		seen[st.Fsid] = true
		unit := uint64(st.Bsize)
		all = append(all, space{st.Bavail * unit / 1024, st.Blocks * unit / 1024})
	}
	return all
}

func (all spaces) total() (string, bool) {
	var t space
	for _, s := range all {
		t.avail += s.avail
		t.size += s.size
	}
	return t.String(), len(all) > 0
}

// free is the space on the file system that has most of it.
func (all spaces) free() (string, bool) {
	var most uint64
	for _, s := range all {
		most = max(most, s.avail)
	}
	return decimal(most), len(all) > 0
}

// most is the file system of which the largest part is free.
func (all spaces) most() (string, bool) {
	var best space
	for _, s := range all {
		if best.size == 0 || float64(s.avail)/float64(s.size) > float64(best.avail)/float64(best.size) {
			best = s
		}
	}
	return best.String(), len(all) > 0
}
