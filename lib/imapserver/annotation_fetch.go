package imapserver

import (
	"slices"
	"strconv"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/mailbox"
)

// annotations appends what is asked for of a message's annotations (RFC 5257
// section 4.3): for each name the values there are, then what has none.
func (f *fetchRun) annotations(b []byte) []byte {
	p := f.p.annot
	all, err := f.r.Annots(f.raw)
	if err != nil {
		f.err = err
		return b
	}
	w := annotWriter{b: append(b, " ANNOTATION ("...), attrs: p.attrs}
	for i := range p.asked {
		m := &p.asked[i]
		w.stored(all, m, p.user)
		if m.pattern == nil {
			w.unset(m.name)
			continue
		}
		for _, e := range slices.Backward(p.table) {
			if m.pattern.Match(e.name) {
				w.unset(e.name)
			}
		}
	}
	if w.open != "" {
		w.b = append(w.b, ')')
	}
	return append(w.b, ')')
}

// annotWriter writes attributes, those of one entry that follow each other in
// one list.
type annotWriter struct {
	b     []byte
	attrs annotAttrs
	open  string // the entry whose list is being written
	told  []annotTold
}

type annotTold struct {
	entry   string
	private bool
}

func (w *annotWriter) stored(all []mailbox.Annot, m *annotMatch, user string) {
	for i := range all {
		a := &all[i]
		if (a.User == "" || a.User == user) && m.matches(a.Entry) {
			w.put(a.Entry, a.User != "", string(a.Data), true)
		}
	}
}

func (w *annotWriter) unset(entry string) {
	w.put(entry, true, "", false)
	w.put(entry, false, "", false)
}

// put writes the attributes of one value that are asked for.
func (w *annotWriter) put(entry string, private bool, value string, ok bool) {
	part, names := w.attrs>>2, annotAttrNames[2:]
	if private {
		part, names = w.attrs&(valuePriv|sizePriv), annotAttrNames[:2]
	}
	if part == 0 {
		return
	}
	for _, t := range w.told {
		if t.entry == entry && t.private == private {
			return
		}
	}
	w.told = append(w.told, annotTold{entry, private})
	switch {
	case w.open == entry:
		w.b = append(w.b, ' ')
	case w.open != "":
		w.b = append(w.b, ") "...)
		fallthrough
	default:
		w.b = append(imapwire.AppendAString(w.b, entry), " ("...)
		w.open = entry
	}
	if part&valuePriv != 0 {
		w.b = append(append(w.b, names[0]...), ' ')
		w.b = imapwire.AppendNString(w.b, value, ok)
	}
	if part == valuePriv|sizePriv {
		w.b = append(w.b, ' ')
	}
	if part&sizePriv != 0 {
		w.b = append(append(w.b, names[1]...), ` "`...)
		w.b = append(strconv.AppendInt(w.b, int64(len(value)), 10), '"')
	}
}
