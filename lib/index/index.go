// Package index is one session's view of one mailbox: which message has which
// number, what the client has been told of it, and what it must be told next.
//
// A view is the snapshot of UIDs that the mailbox shares among all who look at
// it, plus a few words of its own: how far the client has been told (by
// modseq), the keywords it knows, the messages that are \Recent to it and, for
// one who is not the owner, its \Seen. A session that waits costs next to
// nothing, however large the mailbox.
//
// The rule of what a client may be told when is RFC 3501 section 7.4.1, and one
// of ours: announce first. No answer names a message, a keyword or a number
// that the client has not heard of, and a message that others expunged keeps
// its number until the client has been told.
//
// The package yields numbers, flags and octets; it prints nothing and knows no
// protocol.
package index

import (
	"errors"

	"gocyrus/lib/acl"
	"gocyrus/lib/seen"
)

var (
	// ErrReadOnly is the error of a change through a view opened with EXAMINE.
	ErrReadOnly = errors.New("mailbox is read-only")
	// ErrRights is the error of a change that the user's rights do not allow.
	ErrRights = errors.New("permission denied")
	// ErrNoMessage is the error of a set that names no message of the view.
	ErrNoMessage = errors.New("no matching messages")
)

// SeenStore keeps the \Seen of users who do not own the mailbox, one record a
// mailbox (on-disk.md section 11.1); *seen.DB is one. A record that is not
// there is the zero Record.
type SeenStore interface {
	Get(uniqueID string) (seen.Record, error)
	Put(uniqueID string, r seen.Record) error
}

// Who is the one who looks at a mailbox.
type Who struct {
	User   string     // userid
	Owner  bool       // \Seen and \Recent of the mailbox itself are theirs
	Rights acl.Rights // on this mailbox
	Seen   SeenStore  // for others than the owner; nil keeps nothing
}
