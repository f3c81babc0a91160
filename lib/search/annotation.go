package search

import (
	"strings"

	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
)

// annotation is a question for the values of an annotation (RFC 5257 section 4.7).
// Like Cyrus it wants them equal; a value that is not there is empty.
type annotation struct {
	name         string
	pattern      *glob.Pattern // nil for a name
	shared, priv bool          // which of both are asked
	value        string
}

func newAnnotation(w *imapwire.SearchNode) *annotation {
	a := &annotation{name: w.Name, value: w.Str, shared: w.Attr != "value.priv", priv: w.Attr != "value.shared"}
	if strings.ContainsAny(w.Name, "*%") {
		a.pattern = glob.Compile(w.Name, '/')
	}
	return a
}

func (a *annotation) match(m *matcher) bool {
	if a.pattern != nil && a.value == "" {
		return true // of some entry there is no value
	}
	all, err := m.r.Annots(m.raw)
	if err != nil {
		return m.fail(err)
	}
	user := m.r.AnnotUser()
	var shared, priv bool // there is such a value
	for i := range all {
		x := &all[i]
		own := x.User != ""
		if own && (!a.priv || x.User != user) || !own && !a.shared || len(x.Data) == 0 || !a.matches(x.Entry) {
			continue
		}
		if string(x.Data) == a.value {
			return true
		}
		shared, priv = shared || !own, priv || own
	}
	return a.value == "" && (a.shared && !shared || a.priv && !priv)
}

func (a *annotation) matches(entry string) bool {
	if a.pattern != nil {
		return a.pattern.Match(entry)
	}
	return a.name == entry
}
