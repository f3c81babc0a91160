package repair

import (
	"errors"

	"gocyrus/lib/mboxlist"
)

// checkEntry compares the mailbox with mailboxes.db. put says that the entry,
// which j.e is a copy of, has to be stored.
func (j *job) checkEntry() (put bool, err error) {
	name := j.e.Name
	if j.file.UniqueID != "" && j.file.UniqueID != j.e.UniqueID {
		// Reported when the header was read.
		j.e.UniqueID, put = j.file.UniqueID, true
	}
	byID, err := j.site.List.LookupID(j.e.UniqueID)
	switch {
	case errors.Is(err, mboxlist.ErrNotFound):
		j.find(List, 0, "Missing mboxlist entry for uniqueid - will rewrite %s (%s)", name, j.e.UniqueID)
		put = true
	case err != nil:
		return false, err
	case byID.Name != name:
		return put, j.clash(byID)
	default:
		put = j.compareByID(byID) || put
	}
	if v := j.hdr.UIDValidity; v != j.e.UIDValidity {
		if v == 0 || j.o.PreferList && j.e.UIDValidity != 0 {
			j.find(List, 0, "Wrong uidvalidity in mailbox, fixing %s (%d -> %d)", name, v, j.e.UIDValidity)
			j.hdr.UIDValidity, j.dirty = j.e.UIDValidity, true
		} else {
			j.find(List, 0, "Wrong uidvalidity in mbentry, fixing %s (%d -> %d)", name, j.e.UIDValidity, v)
			j.e.UIDValidity, put = v, true
		}
	}
	return put, nil
}

// errClash is a unique id that two mailboxes have.
var errClash = errors.New("unique id clash")

// clash is another mailbox with the same unique id: a copied directory. The new
// id of NewIDs can only be given to a mailbox whose place does not depend on it.
func (j *job) clash(other *mboxlist.Entry) error {
	j.find(List, 0, "Wrong uniqueid! %s (should be %s)", other.Name, j.e.Name)
	if !j.o.NewIDs || !j.e.Is(mboxlist.FlagLegacy) {
		return errClash
	}
	id := j.site.Mailboxes.NewUniqueID()
	j.findQuietly(List, 0, "uniqueid clash with %s - changed %s (%s => %s)", other.Name, j.e.Name, j.e.UniqueID, id)
	j.e.UniqueID, j.file.UniqueID = id, id
	j.newFile, j.dirty = true, true
	return nil
}

// compareByID compares the two records of a mailbox in mailboxes.db.
func (j *job) compareByID(byID *mboxlist.Entry) (differ bool) {
	e := j.e
	for _, f := range []struct {
		word   string
		a, b   any
		differ bool
	}{
		{"uidvalidity", e.UIDValidity, byID.UIDValidity, e.UIDValidity != byID.UIDValidity},
		{"mbtype", e.Type, byID.Type, e.Type != byID.Type},
		{"partition", e.Partition, byID.Partition, e.Partition != byID.Partition},
	} {
		if f.differ {
			j.find(List, 0, "mismatched %s byid %s (%v %v)", f.word, e.Name, f.a, f.b)
			differ = true
		}
	}
	return differ
}
