package csync

import (
	"fmt"
	"strconv"

	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
)

// Fields of an index record that travel as annotations.
const (
	vendor       = "/vendor/cmu/cyrus-imapd/"
	entryThrID   = vendor + "thrid"
	entrySaved   = vendor + "savedate"
	entryCreated = vendor + "createdmodseq"
)

// SetIndex sets r from a stored record, names being the keywords of the mailbox by
// slot, and appends the synthetic annotations to those that r has already: the
// stored ones come first. The memory of r.Flags is used again.
func (r *Record) SetIndex(rec *indexfile.Record, names []string) {
	r.UID, r.ModSeq, r.LastUpdated = rec.UID, rec.ModSeq, rec.LastUpdated
	r.InternalDate, r.Size, r.GUID = rec.InternalDate, rec.Size, guid.GUID(rec.GUID)
	r.Flags = AppendFlagNames(r.Flags[:0], rec, names)
	r.Annotations = AppendSynthetic(r.Annotations, rec)
}

var systemBits = [...]indexfile.Flags{indexfile.Deleted, indexfile.Answered, indexfile.Flagged, indexfile.Draft, indexfile.Expunged, indexfile.Seen}

// AppendFlagNames appends the flags of a stored record in the order of the wire.
func AppendFlagNames(dst []string, rec *indexfile.Record, names []string) []string {
	for i, bit := range systemBits {
		if rec.Flags&bit != 0 {
			dst = append(dst, systemFlags[i])
		}
	}
	if rec.UserFlags == (indexfile.UserFlags{}) {
		return dst
	}
	for slot, name := range names {
		if name != "" && rec.UserFlags.Has(slot) {
			dst = append(dst, name)
		}
	}
	return dst
}

// SystemFlag is the bit of a system flag as a parsed record spells it; a keyword
// or an unknown one has none.
func SystemFlag(name string) (bit indexfile.Flags, ok bool) {
	for i, f := range systemFlags {
		if f == name {
			return systemBits[i], true
		}
	}
	return 0, false
}

// Synthetic are those fields. Zero is none.
type Synthetic struct {
	CID           uint64
	SaveDate      uint32
	CreatedModSeq uint64
}

// AppendSynthetic appends the annotations that stand for fields of rec, in
// Cyrus's order.
func AppendSynthetic(dst []Annotation, rec *indexfile.Record) []Annotation {
	if rec.CID != 0 {
		dst = append(dst, Annotation{Entry: entryThrID, Value: fmt.Appendf(nil, "%016x", rec.CID)})
	}
	if rec.SaveDate != 0 {
		dst = append(dst, Annotation{Entry: entrySaved, Value: strconv.AppendUint(nil, uint64(rec.SaveDate), 10)})
	}
	if rec.CreatedModSeq != 0 {
		dst = append(dst, Annotation{Entry: entryCreated, Value: strconv.AppendUint(nil, rec.CreatedModSeq, 10)})
	}
	return dst
}

// TakeSynthetic takes the synthetic annotations out of list, whose memory it
// uses again; stored is the rest. A value that is no number is ErrBadParameters.
func TakeSynthetic(list []Annotation) (stored []Annotation, s Synthetic, err error) {
	stored = list[:0]
	for _, a := range list {
		if !isSynthetic(&a) {
			stored = append(stored, a)
		} else if serr := s.set(&a); serr != nil && err == nil {
			err = serr
		}
	}
	return stored, s, err
}

func isSynthetic(a *Annotation) bool {
	return a.UserID == "" && (a.Entry == entryThrID || a.Entry == entrySaved || a.Entry == entryCreated)
}

func (s *Synthetic) set(a *Annotation) (err error) {
	switch a.Entry {
	case entryThrID:
		s.CID, err = strconv.ParseUint(string(a.Value), 16, 64)
	case entrySaved:
		var n uint64
		n, err = number(a.Value)
		s.SaveDate = uint32(n)
	default:
		s.CreatedModSeq, err = number(a.Value)
	}
	return bad(err)
}
