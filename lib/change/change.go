// Package change says what one commit did to a mailbox, and who hears of it.
//
// The mailbox package fills a [Commit] after the change is on disk and its locks
// are gone; replication's log, IDLE, STATUS's cache and notifications are each a
// [Sink]. Nothing here knows how a mailbox is stored.
package change

import "gocyrus/lib/mboxname"

// MaxUIDs bounds each list of a Commit. Beyond it the list is cut and its Many
// bit set: the sink must look for itself.
const MaxUIDs = 4096

// Commit is one durable change of a mailbox.
type Commit struct {
	Name     mboxname.Name
	UniqueID string

	UIDValidity   uint32
	LastUID       uint32 // after the change
	Exists        uint32
	Unseen        uint32 // the owner's
	HighestModSeq uint64

	Appended []uint32 // UIDs
	Expunged []uint32
	Flagged  []uint32 // any other change of a record: flags, annotations, seen

	Many bool // a list was cut

	// Header is set when something else than records changed: the last recent
	// UID, options, ACL, quota root, flag names.
	Header bool

	// Bytes is by how much the mailbox grew, in octets of messages.
	Bytes int64
}

// Sink is told of commits. Committed is called after the change is durable, once
// a commit and outside of all locks; it must not block, and must not keep c.
type Sink interface {
	Committed(c *Commit)
}

// Func is a Sink made of a function.
type Func func(c *Commit)

// Committed calls f.
func (f Func) Committed(c *Commit) { f(c) }

// AddUID appends uid to one of c's lists.
func (c *Commit) AddUID(list *[]uint32, uid uint32) {
	if len(*list) >= MaxUIDs {
		c.Many = true
		return
	}
	*list = append(*list, uid)
}
