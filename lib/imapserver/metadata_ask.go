package imapserver

import (
	"slices"
	"strings"

	"gocyrus/lib/glob"
)

// annotAsk is which annotations of one thing are asked for.
type annotAsk struct {
	wanted []askedEntry
	// items are the names and patterns in order, each once.
	items []string
}

// askedEntry is a name or a pattern, and which values of it are asked for.
type askedEntry struct {
	name    string
	pattern *glob.Pattern // nil for a name
	which   values
}

// isPattern says whether a name stands for many.
func isPattern(name string) bool { return strings.ContainsAny(name, "*%") }

// add asks for a name or pattern.
func (a *annotAsk) add(name string, which values) {
	e := askedEntry{name: name, which: which}
	if isPattern(name) {
		e.pattern = glob.Compile(name, '/')
	}
	a.wanted = append(a.wanted, e)
	if !slices.Contains(a.items, name) {
		a.items = append(a.items, name)
	}
}

func (e *askedEntry) matches(name string) bool {
	if e.pattern != nil {
		return e.pattern.Match(name)
	}
	return e.name == name
}

// wants says whether one value of an entry is asked for.
func (a *annotAsk) wants(name string, private bool) bool {
	which := forAll
	if private {
		which = forOne
	}
	return slices.ContainsFunc(a.wanted, func(e askedEntry) bool { return e.which&which != 0 && e.matches(name) })
}

// match is the matcher of one of a's items.
func (a *annotAsk) match(item string) func(string) bool {
	i := slices.IndexFunc(a.wanted, func(e askedEntry) bool { return e.name == item })
	return a.wanted[i].matches
}
