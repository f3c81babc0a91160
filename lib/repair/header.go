package repair

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// readHeaderFile reads cyrus.header; oldFile stays nil when it is of no use.
func (j *job) readHeaderFile() error {
	b, err := os.ReadFile(j.p.header)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := headerfile.Parse(b)
	if err != nil {
		return nil //nolint:nilerr // it is made anew
	}
	j.oldFile = h
	j.hdr.HeaderFileCRC = headerfile.CRC(b)
	return nil
}

// readIndexHeader reads the header of the index, and finds out which records
// there are.
func (j *job) readIndexHeader() error {
	crc := j.hdr.HeaderFileCRC
	if err := j.parseIndex(); err != nil {
		j.fresh, j.dirty, j.doubt = true, true, true
		j.find(Index, 0, "%s: failed to read index header", j.e.Name)
		return j.newIndex()
	}
	if j.oldFile != nil && j.old.Version >= 12 && j.old.HeaderFileCRC != crc {
		j.findQuietly(Header, 0, "%s: header file CRC mismatch, correcting", j.e.Name)
		j.dirty, j.doubt = true, true
	}
	j.hdr = j.old
	if j.oldFile != nil {
		j.hdr.HeaderFileCRC = crc
	}
	j.hdr.Format &^= indexfile.FormatDirty
	if j.hdr.Options&indexfile.OptDeleted != 0 {
		j.findQuietly(Index, 0, "%s: marked as deleted, and in mailboxes.db", j.e.Name)
		j.hdr.Options &^= indexfile.OptDeleted
		j.dirty = true
	}
	return nil
}

var errNoIndex = errors.New("no index")

// parseIndex reads the header. One whose CRC alone is wrong is believed when it
// agrees with mailboxes.db, and a file that is too short is taken as far as it
// goes: each record has a CRC of its own.
func (j *job) parseIndex() error {
	if j.index == nil {
		return errNoIndex
	}
	b := j.index.Bytes()
	err := j.old.Parse(b)
	switch {
	case errors.Is(err, indexfile.ErrChecksum):
		if j.old.UIDValidity == 0 || j.old.UIDValidity != j.e.UIDValidity || !indexfile.Writable(j.old.Version) ||
			j.old.FileSize() > int64(len(b)) {
			return err
		}
		j.find(Index, 0, "%s: index header CRC mismatch, counting anew", j.e.Name)
		j.pending, j.dirty = true, true
	case err != nil:
		return err
	}
	if j.old.Format&indexfile.FormatDirty != 0 {
		j.pending = true
	}
	if short := j.old.FileSize() - int64(len(b)); short > 0 {
		have := (int64(len(b)) - int64(j.old.StartOffset)) / int64(j.old.RecordSize)
		j.find(Index, 0, "%s: index has %d of %d records", j.e.Name, have, j.old.NumRecords)
		j.old.NumRecords = uint32(max(0, have))
		j.pending, j.dirty = true, true
	}
	j.table, err = indexfile.NewTable(b, &j.old)
	return err
}

// newIndex begins an index of which nothing is known. UIDs may have been used
// that no file shows any more, so UIDVALIDITY has to change.
func (j *job) newIndex() error {
	crc := j.hdr.HeaderFileCRC
	version := j.site.Mailboxes.Options().IndexVersion
	h, err := indexfile.NewHeader(version)
	if err != nil {
		return err
	}
	h.UIDValidity = j.e.UIDValidity
	if !j.o.DryRun {
		h.UIDValidity, err = j.site.Mailboxes.NextUIDValidity(j.e.Name.Owner(), max(j.now, j.e.UIDValidity))
		if err != nil {
			return err
		}
	}
	h.CreatedModSeq = max(1, j.e.CreatedModSeq)
	h.HighestModSeq = max(h.CreatedModSeq, j.e.FolderModSeq)
	h.ChangesEpoch = j.now
	h.Options |= j.site.Mailboxes.Options().DefaultOptions | indexfile.OptPOP3NewUIDL
	h.HeaderFileCRC = crc
	j.hdr = *h
	return nil
}

// checkHeaderFile decides what cyrus.header should say.
func (j *job) checkHeaderFile() error {
	root, _, err := j.site.Quota.Find(j.e.Name)
	if err != nil {
		return err
	}
	want := headerfile.Header{
		Type: j.e.Type, Name: string(j.e.Name), UniqueID: j.e.UniqueID, ACL: j.e.ACL, QuotaRoot: string(root),
	}
	j.newFile = true
	switch {
	case j.oldFile != nil:
		j.compareFile(&want)
	case j.fresh:
		// Said already: there is nothing of this mailbox.
	default:
		j.find(Header, 0, "%s: failed to read header file", j.e.Name)
	}
	j.file = want
	j.takeFlags()
	if j.newFile {
		j.dirty = true
	}
	return nil
}

// compareFile makes of want what should be there instead of oldFile; newFile is
// cleared when that is oldFile.
func (j *job) compareFile(want *headerfile.Header) {
	old, name := j.oldFile, j.e.Name
	keep := *old.Clone()
	changed := false
	legacy := j.e.Is(mboxlist.FlagLegacy)
	if old.UniqueID != want.UniqueID {
		// Files that are named by the id are those of mailboxes.db; a legacy
		// mailbox is the one whose id is in its directory.
		if legacy && old.UniqueID != "" && !j.o.PreferList {
			j.find(List, 0, "Wrong uniqueid in mbentry, fixing %s (%s -> %s)", name, want.UniqueID, old.UniqueID)
		} else {
			j.findQuietly(Header, 0, "%s: unique id %s in header, %s in mailboxes.db", name, old.UniqueID, want.UniqueID)
			keep.UniqueID, changed = want.UniqueID, true
		}
	}
	// A legacy mailbox keeps the name it had when it is renamed.
	if old.Name != want.Name && old.Name != "" && !legacy {
		j.findQuietly(Header, 0, "%s: name %s in header", name, old.Name)
		keep.Name, changed = want.Name, true
	}
	if old.ACL != want.ACL {
		j.find(List, 0, "%s: update acl from header %s => %s", name, want.ACL, old.ACL)
		if j.o.PreferList {
			keep.ACL, changed = want.ACL, true
		}
	}
	if j.doubt && (keep.Type != want.Type || keep.QuotaRoot != want.QuotaRoot) {
		j.findQuietly(Header, 0, "%s: type %s and quota root %s in header", name, old.Type, orNone(mboxname.Name(old.QuotaRoot)))
		j.moved = keep.QuotaRoot != want.QuotaRoot
		keep.Type, keep.QuotaRoot, changed = want.Type, want.QuotaRoot, true
	}
	if keep.Type == "" {
		keep.Type = want.Type
	}
	if keep.Name == "" {
		keep.Name = want.Name
	}
	j.newFile = changed
	*want = keep
}

// takeFlags takes over the user flags, but for names that cannot be flags.
func (j *job) takeFlags() {
	for i, f := range j.file.Flags {
		switch {
		case f == "":
			continue
		case !isAtom(f):
			j.find(Header, 0, "%s: bogus flag name %d:%s", j.e.Name, i, f)
			j.file.Flags[i] = ""
			j.newFile = true
		default:
			j.valid.Set(i, true)
			j.crcs.SetName(i, f)
		}
	}
}

// isAtom says whether s can stand in a protocol as a flag (RFC 9051 section 9).
func isAtom(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
