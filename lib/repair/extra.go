package repair

import (
	"math"
	"slices"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/message"
)

// addFiles gives a record to each message file that has none. Those beyond the
// last UID keep theirs, as after the loss of the index; the others may have been
// expunged under the number they bear, and get a new one.
func (j *job) addFiles() error {
	slices.SortStableFunc(j.extra, func(a, b file) int {
		switch {
		case j.beyond(a) && !j.beyond(b):
			return -1
		case !j.beyond(a) && j.beyond(b):
			return 1
		}
		return 0
	})
	// With the numbers as they were: the first that is added moves the bound.
	last := j.hdr.LastUID
	for i := range j.extra {
		f := j.extra[i]
		if i > 0 && f.uid == j.extra[i-1].uid && f.uid > last {
			// In both places: the one of the spool has the number.
			j.remove = append(j.remove, j.p.message(f.uid, f.archived))
			continue
		}
		if err := j.addFile(f, f.uid > last); err != nil {
			return err
		}
	}
	j.staleAnnotations()
	return nil
}

func (j *job) beyond(f file) bool { return f.uid > j.hdr.LastUID }

func (j *job) addFile(f file, keep bool) error {
	path := j.p.message(f.uid, f.archived)
	c, err := j.read(path)
	if err != nil {
		return err
	}
	j.dirty = true
	if c == nil {
		j.find(Extra, f.uid, "%s uid %d not found", j.e.Name, f.uid)
		j.remove = append(j.remove, path)
		return nil
	}
	rec := record{changed: true, parse: true, annots: &annots{}}
	if keep {
		j.find(Extra, f.uid, "%s uid %d found - adding", j.e.Name, f.uid)
		rec.UID = f.uid
		rec.annots = j.annotsOf(f.uid)
	} else {
		if j.hdr.LastUID == math.MaxUint32 {
			j.find(Extra, f.uid, "%s uid %d: no UID is left for it", j.e.Name, f.uid)
			return nil
		}
		j.find(Extra, f.uid, "%s uid %d rediscovered - appending", j.e.Name, f.uid)
		rec.UID = j.hdr.LastUID + 1
		rec.from = &f
		j.remove = append(j.remove, path)
	}
	j.fill(&rec, c, f.archived)
	j.hdr.LastUID, j.hdr.LastAppendDate = rec.UID, j.now
	j.recs = append(j.recs, rec)
	return nil
}

// fill makes the record of a message of which there is only the file.
func (j *job) fill(rec *record, c *content, archived bool) {
	m := c.msg
	rec.Size, rec.HeaderSize, rec.GUID = m.Size, m.HeaderSize, m.GUID
	rec.SentDate, rec.GMTime = m.SentDate, m.GMTime
	rec.CacheVersion, rec.CacheCRC = message.CacheVersion, m.CacheCRC
	if rec.InternalDate = c.internalDate(); rec.InternalDate == 0 {
		rec.InternalDate = c.mtime
	}
	rec.SaveDate = j.now
	if archived && j.p.dirs[1] != "" {
		rec.Flags |= indexfile.Archived
	}
	if rec.annots.snoozed {
		rec.Flags |= indexfile.Snoozed
	}
	j.complete(&rec.Record)
}
