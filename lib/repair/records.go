package repair

import (
	"os"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/message"
	"gocyrus/lib/times"
)

// A record is one record of the mended index.
type record struct {
	indexfile.Record
	was     *indexfile.Record // as it is on disk, when it changes; nil for a new one
	changed bool              // it gets a modseq of its own
	parse   bool              // its cache is to be made from the file
	from    *file             // where its file is, when it has to move
	annots  *annots
}

// checkRecords goes over the records and the message files side by side; both are
// in ascending order.
func (j *job) checkRecords() error {
	if j.fresh {
		j.extra = j.files
		return nil
	}
	files, last := j.files, uint32(0)
	for recno := 1; recno <= j.table.Len(); recno++ {
		var r indexfile.Record
		err := j.table.Raw(recno).Record(&r)
		if err == nil && r.UID == 0 {
			continue // wiped before; it goes when the index is written
		}
		if err != nil || r.UID <= last {
			j.wipe(recno, r.UID, err)
			continue
		}
		last = r.UID
		for len(files) > 0 && files[0].uid < r.UID {
			j.extra = append(j.extra, files[0])
			files = files[1:]
		}
		n := 0
		for n < len(files) && files[n].uid == r.UID {
			n++
		}
		if err := j.checkRecord(r, files[:n]); err != nil {
			return err
		}
		files = files[n:]
	}
	j.extra = append(j.extra, files...)
	return nil
}

func (j *job) wipe(recno int, uid uint32, err error) {
	if err != nil {
		j.findQuietly(Record, uid, "%s failed to read at record %d (%v), wiping", j.e.Name, recno, err)
	} else {
		j.findQuietly(Record, uid, "%s out of order uid %d at record %d, wiping", j.e.Name, uid, recno)
	}
	j.dirty = true
}

// checkRecord decides what becomes of one record; have are its files.
func (j *job) checkRecord(r indexfile.Record, have []file) error {
	was := r
	a := j.annotsOf(r.UID)
	rec := record{Record: r, annots: a}
	if len(have) > 0 {
		j.place(&rec, have)
	}
	j.checkHeader(&rec.Record)
	c, err := j.compare(&rec, &was, len(have) > 0)
	if err != nil {
		return err
	}
	if c {
		rec.was, rec.changed = &was, true
		j.dirty = true
	} else if rec.Record != was {
		rec.was = &was
		j.dirty = true
	}
	j.recs = append(j.recs, rec)
	return nil
}

// place makes the record say on which partition its file is. Of two the one in
// the spool counts.
func (j *job) place(rec *record, have []file) {
	archived := have[0].archived
	if is := rec.Flags&indexfile.Archived != 0; is != archived && j.p.dirs[1] != "" {
		if archived {
			j.find(Mismatch, rec.UID, "Marking file as archived %s %d", j.e.Name, rec.UID)
		} else {
			j.find(Mismatch, rec.UID, "Marking file as not archived %s %d", j.e.Name, rec.UID)
		}
		rec.Flags ^= indexfile.Archived
		// The cache is on the other partition.
		rec.parse, rec.changed = true, true
	}
	if len(have) > 1 && rec.Flags&indexfile.NeedsCleanup == 0 {
		path := j.p.message(rec.UID, true)
		j.find(Extra, rec.UID, "Removing duplicate archive file %s", path)
		j.remove = append(j.remove, path)
		j.dirty = true
	}
}

// checkHeader raises what the header of the index knows of its records.
func (j *job) checkHeader(r *indexfile.Record) {
	if r.ModSeq > j.hdr.HighestModSeq {
		j.find(Counts, r.UID, "%s uid %d future modseq %d found", j.e.Name, r.UID, r.ModSeq)
		j.hdr.HighestModSeq, j.dirty = r.ModSeq, true
	}
	if r.UID > j.hdr.LastUID {
		j.find(Counts, r.UID, "%s future uid %d found", j.e.Name, r.UID)
		j.hdr.LastUID, j.dirty = r.UID, true
	}
}

// compare compares a record with its file, and changes it where it is wrong.
// changed says that a client may see the difference.
func (j *job) compare(rec *record, was *indexfile.Record, have bool) (changed bool, err error) {
	changed = rec.changed
	path := j.p.message(rec.UID, rec.Flags&indexfile.Archived != 0)
	reparse := j.o.Reparse || rec.parse
	if have && !j.o.NoStat {
		st, err := os.Stat(path)
		switch {
		case err != nil || st.Size() == 0:
			have = false
		case st.Size() != int64(rec.Size):
			reparse = true
		}
	}
	if !have {
		return j.lost(rec, path) || changed, nil
	}
	if rec.Flags&indexfile.Unlinked != 0 && !reparse {
		// The file is about to go; its record needs no cache.
		return changed, nil
	}
	if j.cached(was) == nil {
		reparse, rec.parse = true, true
		j.findQuietly(Cache, rec.UID, "%s uid %d: cache record is missing or damaged", j.e.Name, rec.UID)
	}
	if reparse || rec.InternalDate == 0 {
		done, err := j.reparse(rec, was, path)
		if done || err != nil {
			return rec.Record != *was, err
		}
	}
	j.complete(&rec.Record)
	for i := range rec.UserFlags {
		rec.UserFlags[i] &= j.valid[i]
	}
	j.snooze(rec)
	return j.differ(was, &rec.Record) || changed, nil
}

// lost is a record whose file is not there: the message is gone.
func (j *job) lost(rec *record, path string) (changed bool) {
	rec.parse = false
	if rec.Flags&indexfile.Unlinked != 0 {
		return false
	}
	j.find(Missing, rec.UID, "%s uid %d not found", j.e.Name, rec.UID)
	j.remove = append(j.remove, path) // if it is there, it is empty
	j.gone(rec, indexfile.OptNeedsRepack)
	return true
}

// gone makes rec a record of a message that is expunged for good. A repack, when
// it is asked for, drops the record too.
func (j *job) gone(rec *record, ask indexfile.Options) {
	rec.Flags |= indexfile.Expunged | indexfile.Unlinked
	rec.parse = false
	j.hdr.Options |= ask
	j.dirty = true
}

// reparse takes from the file all that the record says of it. done is that the
// record stays as it is, or is of a message that is gone.
func (j *job) reparse(rec *record, was *indexfile.Record, path string) (done bool, err error) {
	c, err := j.read(path)
	if err != nil {
		return false, err
	}
	if c == nil {
		j.find(Mismatch, rec.UID, "%s uid %d failed to parse", j.e.Name, rec.UID)
		j.remove = append(j.remove, path)
		j.gone(rec, indexfile.OptNeedsRepack)
		return true, nil
	}
	if rec.GUID != c.msg.GUID && rec.GUID != (indexfile.GUID{}) {
		return j.stranger(rec, was), nil
	}
	m := c.msg
	rec.Size, rec.HeaderSize, rec.GUID = m.Size, m.HeaderSize, m.GUID
	rec.SentDate, rec.GMTime = m.SentDate, m.GMTime
	if rec.InternalDate == 0 {
		if rec.InternalDate = c.internalDate(); rec.InternalDate == 0 {
			rec.InternalDate = c.mtime
		}
	}
	if rec.CacheVersion != message.CacheVersion || rec.CacheCRC != m.CacheCRC {
		// Another version of the cache is no damage: it is only made anew.
		rec.parse = true
	}
	if rec.parse {
		rec.CacheVersion, rec.CacheCRC = message.CacheVersion, m.CacheCRC
		j.dirty = true
	}
	return false, nil
}

// stranger is a file that is not the message of its record.
func (j *job) stranger(rec *record, was *indexfile.Record) (done bool) {
	j.find(GUID, rec.UID, "%s uid %d guid mismatch", j.e.Name, rec.UID)
	f := file{rec.UID, rec.Flags&indexfile.Archived != 0}
	rec.parse = false
	rec.Record = *was
	switch {
	case rec.Flags&indexfile.Expunged != 0:
		j.find(GUID, rec.UID, "%s uid %d already expunged, unlinking", j.e.Name, rec.UID)
	case j.o.KeepMismatch:
		j.extra = append(j.extra, f)
		j.find(GUID, rec.UID, "%s uid %d marking for uid upgrade", j.e.Name, rec.UID)
		j.gone(rec, indexfile.OptNeedsUnlink)
		return true
	case j.o.DiscardMismatch:
		j.find(GUID, rec.UID, "%s uid %d unlinking as requested with -U", j.e.Name, rec.UID)
	default:
		j.find(GUID, rec.UID, "run reconstruct with -R to fix or -U to remove")
		rec.parse = false
		return true
	}
	j.remove = append(j.remove, j.p.message(f.uid, f.archived))
	j.gone(rec, indexfile.OptNeedsUnlink)
	return true
}

// complete fills in the dates that a message without a usable one gets.
func (j *job) complete(r *indexfile.Record) {
	sent, gm := times.MissingDate(int64(r.InternalDate))
	if r.GMTime == 0 {
		r.GMTime = gm
	}
	if r.SentDate == 0 {
		r.SentDate = sent
	}
}

// snooze brings the flag in line with the annotation.
func (j *job) snooze(rec *record) {
	is := rec.Flags&indexfile.Snoozed != 0
	if rec.Flags&indexfile.Expunged == 0 && is != rec.annots.snoozed {
		j.find(Mismatch, rec.UID, "%s uid %d snoozed mismatch", j.e.Name, rec.UID)
		rec.Flags ^= indexfile.Snoozed
	}
}

// differ reports in which fields two records of a message differ.
func (j *job) differ(old, now *indexfile.Record) bool {
	changed := false
	for _, f := range []struct {
		word string
		same bool
	}{
		{"internaldate", old.InternalDate == now.InternalDate},
		{"sentdate", old.SentDate == now.SentDate},
		{"size", old.Size == now.Size},
		{"header_size", old.HeaderSize == now.HeaderSize},
		{"gmtime", old.GMTime == now.GMTime},
		{"internalflags", old.Flags&^indexfile.System == now.Flags&^indexfile.System},
		{"userflags", old.UserFlags == now.UserFlags},
		{"guid", old.GUID == now.GUID},
	} {
		if !f.same {
			j.find(Mismatch, now.UID, "%s uid %d mismatch: %s", j.e.Name, now.UID, f.word)
			changed = true
		}
	}
	return changed
}
