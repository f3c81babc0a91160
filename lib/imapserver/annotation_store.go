package imapserver

import (
	"math"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
)

// storeAnnotation is STORE ANNOTATION (RFC 5257 section 4.4).
func (s *session) storeAnnotation(args *imapwire.Store, nums index.Numbers) (failed index.Numbers, err error) {
	if len(nums) == 0 {
		return nil, nil
	}
	var change []mailbox.Annot
	for _, e := range args.Annotations {
		for _, v := range e.Values {
			a, err := s.annotOf(e.Entry, &v)
			if err != nil {
				return nil, err
			}
			change = append(change, a)
		}
	}
	return s.sel.idx.Annotate(s.ctx, nums, change, args.UnchangedSince != math.MaxUint64, args.UnchangedSince, s.srv.opts.SkipQuota)
}

// annotOf is one value to be stored, if the entry is defined and has such a
// value.
func (s *session) annotOf(entry string, v *imapwire.AnnotationValue) (mailbox.Annot, error) {
	a := mailbox.Annot{Entry: entry}
	for _, e := range annotEntries {
		if e.name != entry {
			continue
		}
		if !v.Nil {
			a.Data = append([]byte{}, v.Value...)
		}
		switch {
		case v.Attrib == "value.shared":
			return a, nil
		case v.Attrib == "value.priv" && e.private:
			a.User = s.sel.idx.AnnotUser()
			return a, nil
		}
	}
	return a, errPermission
}
