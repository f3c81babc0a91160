package imapserver

import (
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
)

// flagText prints flag lists. A mailbox has few different combinations of
// flags: each is made up once and then copied.
type flagText struct {
	keys []string // keywords by slot
	// hide leaves out \Recent, which IMAP4rev2 does not have.
	hide bool
	last index.Flags
	text string
	made map[index.Flags]string
}

// maxFlagTexts bounds the combinations remembered, for clients may make many.
const maxFlagTexts = 4096

// resetFlags forgets all texts, for the client has been told of other keywords.
func (s *session) resetFlags() {
	s.sel.flags = flagText{keys: s.sel.idx.Keywords(), hide: s.enabled&rev2 != 0}
}

// append appends f as "FLAGS (\Seen)".
func (t *flagText) append(b []byte, f index.Flags) []byte {
	f.Recent = f.Recent && !t.hide
	if t.text != "" && f == t.last {
		return append(b, t.text...)
	}
	text, ok := t.made[f]
	if !ok {
		text = string(appendFlags(nil, f, t.keys))
		if t.made == nil || len(t.made) >= maxFlagTexts {
			t.made = map[index.Flags]string{}
		}
		t.made[f] = text
	}
	t.last, t.text = f, text
	return append(b, text...)
}

// systemFlags are in the order in which Cyrus prints them.
var systemFlags = [...]struct {
	bit  indexfile.Flags
	name string
}{
	{indexfile.Answered, `\Answered`},
	{indexfile.Flagged, `\Flagged`},
	{indexfile.Draft, `\Draft`},
	{indexfile.Deleted, `\Deleted`},
	{indexfile.Seen, `\Seen`},
}

// appendFlags appends "FLAGS (...)". A keyword that the client was not told of
// is left out: it comes with the change that made it.
func appendFlags(b []byte, f index.Flags, keys []string) []byte {
	b = append(b, "FLAGS ("...)
	start := len(b)
	add := func(name string) {
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, name...)
	}
	if f.Recent {
		add(`\Recent`)
	}
	for _, s := range systemFlags {
		if f.System&s.bit != 0 {
			add(s.name)
		}
	}
	for slot, k := range keys {
		if k != "" && f.User.Has(slot) {
			add(k)
		}
	}
	return append(b, ')')
}
