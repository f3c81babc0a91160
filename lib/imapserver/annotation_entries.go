package imapserver

import (
	"strings"

	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
)

// annotEntry is an annotation that is defined for messages (RFC 5257 section 3.2
// and Cyrus's own).
type annotEntry struct {
	name    string
	private bool // beside the value for all each user may have one
}

// annotEntries are in the order in which a pattern finds those without a value.
// Cyrus has a place for most vendor entries in its index, or had none in old
// versions of it.
var annotEntries = []annotEntry{
	{vendor + "snoozed", false},
	{vendor + "snoozed-until", false},
	{vendor + "createdmodseq", true},
	{vendor + "savedate", true},
	{vendor + "thrid", true},
	{vendor + "basethrid", true},
	{"/comment", true},
	{"/altsubject", true},
}

// annotAttrs is a set of attributes of an annotation.
type annotAttrs uint8

const (
	valuePriv annotAttrs = 1 << iota
	sizePriv
	valueShared
	sizeShared
)

var annotAttrNames = [...]string{"value.priv", "size.priv", "value.shared", "size.shared"}

// annotPlan is FETCH ANNOTATION made ready.
type annotPlan struct {
	asked []annotMatch // backwards, as they are answered
	attrs annotAttrs
	user  string // how the user's private values are keyed
}

// annotMatch is one name asked for, or a pattern.
type annotMatch struct {
	name    string
	pattern *glob.Pattern // nil for a name
}

func planAnnotation(f *imapwire.AnnotationFetch, user string) *annotPlan {
	p := &annotPlan{user: user}
	for i := range f.Entries {
		m := annotMatch{name: f.Entries[len(f.Entries)-1-i]}
		if isPattern(m.name) {
			m.pattern = glob.Compile(m.name, '/')
		}
		p.asked = append(p.asked, m)
	}
	for _, a := range f.Attribs {
		// "value" is both values (RFC 5257 section 4.3).
		pattern := glob.Compile(a, '.')
		for i, name := range annotAttrNames {
			if pattern.Match(name) || strings.HasPrefix(name, a+".") {
				p.attrs |= 1 << i
			}
		}
	}
	return p
}

func (m *annotMatch) matches(entry string) bool {
	if m.pattern != nil {
		return m.pattern.Match(entry)
	}
	return m.name == entry
}
