// Package acl computes access rights from the access control list of a
// mailbox (RFC 4314), and changes such lists.
//
// A list is text, as mailboxes.db holds it: identifier and rights in turn,
// each ended by a tab:
//
//	fred\tlrswipkxtecdan\tanyone\tlrs\t-group:guests\tr\t
//
// An identifier that starts with "-" takes its rights away; who is granted
// and denied the same right is denied it. Entries keep the order in which they
// came.
//
// The package knows no mailboxes, users or wire formats: the caller brings
// the list and says which identifiers it is a member of.
package acl

import (
	"errors"
	"fmt"
	"strings"
)

// Rights is a set of rights, one bit each, in the order String prints them.
type Rights uint32

const (
	Lookup    Rights = 1 << iota // l
	Read                         // r
	SetSeen                      // s
	Write                        // w
	Insert                       // i
	Post                         // p
	Create                       // k
	DeleteBox                    // x
	DeleteMsg                    // t
	Expunge                      // e
	Admin                        // a
	Annotate                     // n (RFC 5257)
	User0                        // 0, the first of ten rights that a site may use
)

const (
	letters = "lrswipkxtean0123456789"

	// Full is what an owner gets: every right that has a meaning here.
	Full = Lookup | Read | SetSeen | Write | Insert | Post | Create | DeleteBox | DeleteMsg | Expunge | Admin | Annotate
)

// ErrRights is the error of a rights string with a letter that is no right.
var ErrRights = errors.New("invalid rights")

// Parse reads a rights string such as "lrswi".
//
// RFC 2086's c and d still occur in old lists and scripts: c stands for kx
// and d for te, but only when the string has none of the letters they stand
// for (RFC 4314 section 2.1.1). Parse returns the rights it knew along with
// ErrRights.
func Parse(s string) (Rights, error) { return ParseDelete(s, 'c') }

// ParseDelete is Parse for a site whose option deleteright says that the right
// to delete a mailbox comes with another letter than c.
func ParseDelete(s string, deleteRight byte) (Rights, error) {
	macroC, macroD := Create, DeleteMsg|Expunge
	switch deleteRight {
	case 'c':
		macroC |= DeleteBox
	case 'd':
		macroD |= DeleteBox
	}
	var r, c, d Rights
	var err error
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case 'c':
			c = macroC
		case 'd':
			d = macroD
		default:
			bit := strings.IndexByte(letters, s[i])
			switch {
			case s[i] == deleteRight:
				r |= DeleteBox
			case bit < 0:
				err = fmt.Errorf("%w: %q in %q", ErrRights, s[i], s)
			}
			if bit >= 0 {
				r |= 1 << bit
			}
		}
	}
	if r&c == 0 {
		r |= c
	}
	if r&d == 0 {
		r |= d
	}
	return r, err
}

// String prints r as Cyrus stores and sends it, "lrswipkxtecdan" when full:
// the old letters c and d stand before a, for RFC 2086 clients.
func (r Rights) String() string {
	var b [len(letters) + 2]byte
	return string(r.Append(b[:0]))
}

// Append appends the text of String to b.
func (r Rights) Append(b []byte) []byte {
	for i := range len(letters) {
		if 1<<i == Admin {
			if r&(Create|DeleteBox) != 0 {
				b = append(b, 'c')
			}
			if r&(DeleteMsg|Expunge) != 0 {
				b = append(b, 'd')
			}
		}
		if r&(1<<i) != 0 {
			b = append(b, letters[i])
		}
	}
	return b
}

// My returns the rights that list grants to whoever is a member of the
// identifiers for which member returns true. A torn last entry is ignored,
// as Cyrus does.
func My(list string, member func(identifier string) bool) Rights {
	var granted, denied Rights
	for id, rights := range Entries(list) {
		denies := strings.HasPrefix(id, "-")
		if !member(strings.TrimPrefix(id, "-")) {
			continue
		}
		r, _ := Parse(rights) // a list may hold letters of a later Cyrus
		if denies {
			denied |= r
		} else {
			granted |= r
		}
	}
	return granted &^ denied
}

// Entries yields the identifiers of list with their rights, in order.
func Entries(list string) func(yield func(id, rights string) bool) {
	return func(yield func(id, rights string) bool) {
		for list != "" {
			id, rest, ok := strings.Cut(list, "\t")
			rights, rest, ok2 := strings.Cut(rest, "\t")
			if !ok || !ok2 || !yield(id, rights) {
				return
			}
			list = rest
		}
	}
}
