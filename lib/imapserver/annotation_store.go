package imapserver

import (
	"math"
	"strings"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
)

// storeAnnotation is STORE ANNOTATION (RFC 5257 section 4.4).
func (s *session) storeAnnotation(args *imapwire.Store, nums index.Numbers) (failed index.Numbers, err error) {
	if len(nums) == 0 {
		return nil, nil
	}
	change, err := s.srv.annots.ofMessage(args.Annotations, s.sel.idx.AnnotUser())
	if err != nil {
		return nil, err
	}
	return s.sel.idx.Annotate(s.ctx, nums, change, args.UnchangedSince != math.MaxUint64, args.UnchangedSince, s.srv.opts.SkipQuota)
}

// ofMessage is the values to be stored of a message, if all are defined. user is how
// private ones are keyed.
func (d *annotDefs) ofMessage(entries []imapwire.AnnotationStore, user string) (all []mailbox.Annot, err error) {
	for i := range entries {
		for j := range entries[i].Values {
			a, err := d.messageValue(entries[i].Entry, &entries[i].Values[j], user)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}

func (d *annotDefs) messageValue(name string, v *imapwire.AnnotationValue, user string) (mailbox.Annot, error) {
	a := mailbox.Annot{Entry: name}
	which, ok := map[string]values{"value.shared": forAll, "value.priv": forOne}[v.Attrib]
	if !ok || strings.HasPrefix(name, "/flags/") { // RFC 5257 section 3.2 keeps these
		return a, errPermission
	}
	value := v.Value
	if v.Nil {
		value = ""
	}
	_, value, err := d.find(d.message, name, which, value)
	if value != "" {
		a.Data = []byte(value)
	}
	if which == forOne {
		a.User = user
	}
	return a, err
}
