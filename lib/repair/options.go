package repair

// Options say how far a pass goes.
type Options struct {
	DryRun    bool // find, and change nothing
	Reparse   bool // read every message and compare all that the record says of it
	NoStat    bool // do not look at the sizes of the files
	IgnoreOdd bool // say nothing of odd files
	RemoveOdd bool // remove them

	// What happens to a file that is not the message of its record; with
	// neither it is reported only.
	KeepMismatch    bool // it becomes a message of its own, with a new UID
	DiscardMismatch bool // it is removed

	PreferList bool // mailboxes.db is right where cyrus.header says otherwise
	NewIDs     bool // a mailbox whose unique id another one has gets a new one
}
