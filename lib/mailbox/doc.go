// Package mailbox opens mailboxes on disk, reads them and changes them: one
// process-wide [Store], whose mailboxes are shared by goroutines and, through
// Cyrus's own locks, by processes.
//
// A [Mailbox] is read inside [Mailbox.View] and changed inside [Mailbox.Update].
// Three locks are held there, always taken in this order:
//
//	the owner's user lock     shared; exclusive for changes when the owner has a
//	                          modseq clock (conversations: yes)
//	the mailbox's name lock   shared: keeps the files in place
//	cyrus.index               shared to read, exclusive to change: keeps the content
//
// All are open-file-description locks, which Cyrus's programs respect, with a
// queue in front of each for the goroutines of the process; nothing is held
// between two calls. A wait ends with its context. Because the queues are fair,
// the function given to View or Update must not View or Update anything itself.
//
// A change is written in this order: message files linked, then they and their
// directory synced; cache; the user's clock; quota; cyrus.header if a flag is new;
// records; index header; one fdatasync. Changes that wait for the same mailbox
// are committed together. Then the sinks hear of it, outside of the locks. A note
// of the change is made before and withdrawn after, so that of a process that is
// killed in between somebody tells them ([Store.Recover]). With many new files in
// one commit the file system is synced, and not each of them.
//
// A replica stores what another server has decided: [Tx.AppendExact],
// [Tx.RewriteExact] and [Tx.ExpungeQuietly] take modseqs and times as they are
// given. All else is the same for them: counts, quota and sync CRCs are kept.
//
// Neither cache nor quota is synced. A cache record that a crash of the machine
// has lost does not fit its CRC, and the message is parsed again; quota roots are
// then added up anew ([Store.Recover]).
//
// A writer killed at any point leaves the mailbox readable: appended records
// count only once the header counts them, and records changed in place are
// announced by a mark in the header ([indexfile.FormatDirty]), on which the next
// process that locks the mailbox counts anew. Damage that a disk or a hand made
// gives [ErrCorrupt]; a fault in a mapped file is caught and gives it too.
//
// The package knows no protocol, no session and no rights.
package mailbox

import (
	"errors"

	"gocyrus/lib/indexfile"
)

var (
	// ErrNotFound is a mailbox whose files are not there, or are going away.
	ErrNotFound = errors.New("mailbox does not exist")
	// ErrBadFormat is an index of a version that is not read, or not written.
	ErrBadFormat = indexfile.ErrVersion
	// ErrCorrupt is a mailbox that contradicts itself.
	ErrCorrupt = errors.New("mailbox is corrupt")
	// ErrExists is a mailbox to be created that is there already.
	ErrExists = errors.New("mailbox already exists")
	// ErrNoCache is a message whose cache record is absent or does not fit:
	// the message file has to be parsed.
	ErrNoCache = errors.New("no cache record")
	// ErrTooManyFlags is a user flag for which there is no slot.
	ErrTooManyFlags = errors.New("too many user flags")
	// ErrTooManyMessages is an append beyond mailbox_maxmessages_email, or
	// beyond the last UID.
	ErrTooManyMessages = errors.New("too many messages in mailbox")
	// ErrGone is a message whose file is not there any more.
	ErrGone = errors.New("message is gone")
	// ErrBusy is a lock that was not to be waited for.
	ErrBusy = errors.New("mailbox is in use")
)
