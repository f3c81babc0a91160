package cyradm

import (
	"errors"
	"slices"
	"strings"
)

var errNoMetadata = errors.New("Remote does not support METADATA.") //lint:ignore ST1005 the words of old

// Entry is one datum of METADATA (RFC 5464).
type Entry struct {
	Mailbox string // empty for the server
	Name    string // "/private/comment"
	Value   string // "NIL" for none
}

// Metadata returns the entries of names, or all when there are none, of a
// mailbox, or of the server when that is empty. They come by mailbox, private
// before shared, then by name.
func (a *Admin) Metadata(mailbox string, names []string) ([]Entry, error) {
	if !a.has("METADATA") {
		return nil, errNoMetadata
	}
	all := len(names) == 0
	if all {
		names = []string{"/private/*", "/shared/*"}
	}
	var entries []Entry
	for i, name := range names {
		err := a.parsed("METADATA", func(vs []value) {
			entries = append(entries, entriesOf(vs)...)
		}, raw("GETMETADATA"), quoted(mailbox), list{quoted(name)})
		// Of the two questions for everything the first may fail: who has no
		// private entries may have shared ones.
		if err != nil && !(all && i == 0 && !errors.Is(err, ErrLost)) {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(x, y Entry) int {
		if c := strings.Compare(x.Mailbox, y.Mailbox); c != 0 {
			return c
		}
		return strings.Compare(x.Name, y.Name)
	})
	return slices.CompactFunc(entries, func(x, y Entry) bool { return x.Mailbox == y.Mailbox && x.Name == y.Name }), nil
}

// entriesOf reads
//
//	mailbox (/private/comment "text" /shared/comment NIL)
func entriesOf(vs []value) []Entry {
	if len(vs) != 2 || !vs[1].isList {
		return nil // names only: a change, not an answer
	}
	var out []Entry
	for pair := range slices.Chunk(vs[1].items, 2) {
		if len(pair) == 2 && (strings.HasPrefix(pair[0].text, "/private") || strings.HasPrefix(pair[0].text, "/shared")) {
			out = append(out, Entry{vs[0].text, pair[0].text, pair[1].String()})
		}
	}
	return out
}

// SetMetadata sets one entry, or deletes it when value is nil.
func (a *Admin) SetMetadata(mailbox, name string, v *string) error {
	if !a.has("METADATA") {
		return errNoMetadata
	}
	pair := list{quoted(name), raw("NIL")}
	if v != nil {
		pair[1] = quoted(*v)
	}
	return a.referred(func(b *Admin, _ bool) error {
		return b.command(nil, raw("SETMETADATA"), quoted(mailbox), pair)
	})
}

// Pair is a field of an ID.
type Pair struct{ Field, Value string }

// ID asks the server who it is (RFC 2971). It may not say, and has no fields
// then. A field without value has an empty one.
func (a *Admin) ID() ([]Pair, error) {
	var pairs []Pair
	err := a.parsed("ID", func(vs []value) {
		if len(vs) != 1 {
			return
		}
		for pair := range slices.Chunk(vs[0].items, 2) {
			if len(pair) != 2 {
				return
			}
			p := Pair{Field: pair[0].text}
			if !pair[1].isNil {
				p.Value = pair[1].text
			}
			pairs = append(pairs, p)
		}
	}, raw("ID"), raw("NIL"))
	return pairs, err
}
