package imapserver

import (
	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
)

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
	table []entry
}

// annotMatch is one name asked for, or a pattern.
type annotMatch struct {
	name    string
	pattern *glob.Pattern // nil for a name
}

func planAnnotation(f *imapwire.AnnotationFetch, user string, table []entry) *annotPlan {
	p := &annotPlan{user: user, table: table}
	for i := range f.Entries {
		m := annotMatch{name: f.Entries[len(f.Entries)-1-i]}
		if isPattern(m.name) {
			m.pattern = glob.Compile(m.name, '/')
		}
		p.asked = append(p.asked, m)
	}
	p.attrs = annotAttrsOf(f.Attribs) // "value" is both values (RFC 5257 section 4.3)
	return p
}

func (m *annotMatch) matches(entry string) bool {
	if m.pattern != nil {
		return m.pattern.Match(entry)
	}
	return m.name == entry
}
