package change

import "gocyrus/lib/mboxname"

// Kind says what an Event is about.
type Kind uint8

const (
	Copied        Kind = iota + 1 // To gets messages of Name
	Renamed                       // Name becomes To
	Removed                       // Name is removed for good
	Limits                        // the limits of quota root Name change, or it is removed
	ServerAnnots                  // annotations of the server change
	MailboxAnnots                 // annotations of mailbox UniqueID change
	SeenBy                        // User's seen record of a mailbox that is another's, UniqueID
	Subscribed                    // User subscribes to Name, or ends that
	UserRemoved                   // User is removed
	UserRenamed                   // User becomes UserTo
	UserArrived                   // User has come from another server of a murder
)

// Event is a change that is no commit of one mailbox.
type Event struct {
	Kind         Kind
	Name, To     mboxname.Name
	User, UserTo string
	UniqueID     string
}

// Journal hears of events before they happen, so that those of a process which is
// killed in the middle are not missed. done is called once, when the events are
// durable or nothing came of them, and while no other process can have undone them:
// under the locks they were made under. Neither blocks.
type Journal interface {
	Begin(events ...Event) (done func())
}

// Begin tells j of events; it may be nil.
func Begin(j Journal, events ...Event) (done func()) {
	if j == nil {
		return func() {}
	}
	return j.Begin(events...)
}
