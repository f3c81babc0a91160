// Package mboxname spells mailbox names and finds what lies on disk for them.
//
// A mailbox has four spellings:
//
//	internal  user.dave^smith.Sub^folder          logs, sync, headers, quota roots
//	database  user<1F>dave.smith<1F>Sub.folder    mailboxes.db, subscriptions
//	external  Other Users/dave.smith/Sub.folder   what one user sees on the wire
//	path      user/dave^smith/Sub^folder          legacy directories
//
// [Name] is the internal one. A dot inside a component is "^" there; a virtual
// domain stands in front: "example.org!user.zoe". Text is modified UTF-7 in all
// four, octet for octet.
//
// The package knows no store and no user beyond the userid it is handed: whether
// a name exists or may be seen is for its callers.
package mboxname

import (
	"errors"
	"strconv"
	"strings"
)

// Name is an internal mailbox name.
type Name string

// ErrBad is the error of a name that cannot be a mailbox.
var ErrBad = errors.New("invalid mailbox name")

const (
	dbSep    = '\x1f' // between components in mailboxes.db
	dbDomain = '\x1d' // after the domain in mailboxes.db
)

// FromDB reads the spelling of mailboxes.db.
func FromDB(s string) (Name, error) {
	if s == "" {
		return "", ErrBad
	}
	b := make([]byte, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case dbSep:
			b[i] = '.'
		case dbDomain:
			b[i] = '!'
		case '.':
			b[i] = '^'
		default:
			b[i] = c
		}
	}
	// A domain has dots of its own.
	if i := strings.IndexByte(s, dbDomain); i > 0 {
		copy(b, s[:i])
	}
	return Name(b), nil
}

// DB is n as mailboxes.db spells it.
func (n Name) DB() string {
	dom, rest := n.split()
	b := make([]byte, 0, len(n))
	if dom != "" {
		b = append(append(b, dom...), dbDomain)
	}
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '.':
			b = append(b, dbSep)
		case '^':
			b = append(b, '.')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// split cuts the domain off.
func (n Name) split() (domain, rest string) {
	if i := strings.IndexByte(string(n), '!'); i >= 0 {
		return string(n[:i]), string(n[i+1:])
	}
	return "", string(n)
}

// Domain is the virtual domain of n, empty for the default one.
func (n Name) Domain() string {
	d, _ := n.split()
	return d
}

// Local is n without its domain.
func (n Name) Local() string {
	_, rest := n.split()
	return rest
}

// Owner is the userid that n belongs to, "dave.smith" or "zoe@example.org",
// also when n is a deleted mailbox of that user; empty for a shared mailbox.
func (n Name) Owner() string {
	dom, rest := n.split()
	if r, ok := undelete(rest); ok {
		rest = r
	}
	if !strings.HasPrefix(rest, "user.") || len(rest) == len("user.") {
		return ""
	}
	local, _, _ := strings.Cut(rest[len("user."):], ".")
	local = strings.ReplaceAll(local, "^", ".")
	if dom != "" {
		return local + "@" + dom
	}
	return local
}

// Inbox is the name of a user's INBOX.
func Inbox(userid string) Name {
	local, dom := userid, ""
	if i := strings.LastIndexByte(userid, '@'); i >= 0 {
		local, dom = userid[:i], userid[i+1:]
	}
	n := "user." + strings.ReplaceAll(local, ".", "^")
	if dom != "" {
		n = dom + "!" + n
	}
	return Name(n)
}

// IsInbox reports whether n is some user's INBOX.
func (n Name) IsInbox() bool {
	rest := n.Local()
	return strings.HasPrefix(rest, "user.") && len(rest) > 5 && strings.IndexByte(rest[5:], '.') < 0
}

// IsUserTree reports whether n is a user's mailbox that is not deleted.
func (n Name) IsUserTree() bool {
	rest := n.Local()
	return strings.HasPrefix(rest, "user.") && len(rest) > 5
}

// DeletedPrefix is the top of the tree of deleted mailboxes. The option
// deletedprefix could move it; a process sets it once, before it uses names.
var DeletedPrefix = "DELETED"

// undelete turns "DELETED.user.alice.Tmp.6B0277E4" into "user.alice.Tmp".
func undelete(rest string) (string, bool) {
	if len(rest) <= len(DeletedPrefix)+1 || rest[len(DeletedPrefix)] != '.' || !strings.HasPrefix(rest, DeletedPrefix) {
		return "", false
	}
	rest = rest[len(DeletedPrefix)+1:]
	i := strings.LastIndexByte(rest, '.')
	if i <= 0 {
		return "", false
	}
	return rest[:i], true
}

// IsDeleted reports whether n lies in the tree of deleted mailboxes.
func (n Name) IsDeleted() bool {
	_, ok := undelete(n.Local())
	return ok
}

// Deleted is the name that n takes when it is deleted at the time of stamp,
// seconds UTC: the prefix in front, the time in upper-case hex behind.
func (n Name) Deleted(stamp uint32) Name {
	dom, rest := n.split()
	del := DeletedPrefix + "." + rest + "." + strings.ToUpper(strconv.FormatUint(uint64(stamp), 16))
	if dom != "" {
		del = dom + "!" + del
	}
	return Name(del)
}

// Undeleted is the name that n had before it was deleted and the time of that.
func (n Name) Undeleted() (was Name, stamp uint32, ok bool) {
	dom, rest := n.split()
	r, ok := undelete(rest)
	if !ok {
		return "", 0, false
	}
	t, err := strconv.ParseUint(rest[strings.LastIndexByte(rest, '.')+1:], 16, 32)
	if err != nil {
		return "", 0, false
	}
	if dom != "" {
		r = dom + "!" + r
	}
	return Name(r), uint32(t), true
}

// Parent is the name one level up, false at a top level and above an INBOX.
func (n Name) Parent() (Name, bool) {
	i := strings.LastIndexByte(string(n), '.')
	if i < 0 || i < strings.IndexByte(string(n), '!') || n.IsInbox() {
		return "", false
	}
	return n[:i], true
}

// Child is the name of component one level down, dots in it becoming "^".
func (n Name) Child(component string) Name {
	return n + "." + Name(strings.ReplaceAll(component, ".", "^"))
}

// IsAncestorOf reports whether d lies below n.
func (n Name) IsAncestorOf(d Name) bool {
	return len(d) > len(n) && d[len(n)] == '.' && d[:len(n)] == n
}
