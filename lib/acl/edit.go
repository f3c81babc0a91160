package acl

import "strings"

// A Mode says what Set does with the rights that an identifier already has.
type Mode int

const (
	Replace Mode = iota
	Add          // "+lr" of SETACL
	Remove       // "-lr"
)

// ErrIdentifier is the error of an identifier that no list can hold.
var ErrIdentifier = errIdentifier{}

type errIdentifier struct{}

func (errIdentifier) Error() string { return "invalid identifier" }

// Set returns list with the rights of id changed. An entry that is left
// without rights goes; a new one is put at the end. The error is
// ErrIdentifier.
func Set(list, id string, mode Mode, r Rights) (string, error) {
	if id == "" || id == "-" || strings.ContainsAny(id, "\t\r\n\x00") {
		return list, ErrIdentifier
	}
	var b strings.Builder
	found := false
	write := func(id string, r Rights) {
		if r != 0 {
			b.WriteString(id)
			b.WriteByte('\t')
			b.WriteString(r.String())
			b.WriteByte('\t')
		}
	}
	for other, rights := range Entries(list) {
		if other != id || found {
			b.WriteString(other + "\t" + rights + "\t")
			continue
		}
		found = true
		had, _ := Parse(rights)
		switch mode {
		case Replace:
			write(id, r)
		case Add:
			write(id, had|r)
		case Remove:
			write(id, had&^r)
		}
	}
	if !found && mode != Remove {
		write(id, r)
	}
	return b.String(), nil
}

// Delete returns list without the entry of id; an id that has none is fine.
func Delete(list, id string) (string, error) { return Set(list, id, Replace, 0) }
