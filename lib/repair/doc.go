// Package repair finds out what is wrong with the mailboxes and quota roots of a
// site, and mends it: reconstruct, quota -f, and the check that tests make of the
// spool they leave behind.
//
// One pass over a mailbox serves all: it reads cyrus.index, cyrus.header,
// cyrus.cache, cyrus.annotations and the names in the directories, and makes of
// them the records and the header that the mailbox should have, with a Finding
// for each difference. Check stops there; Reconstruct writes it. What is done
// about what is the table of reconstruct(8), which is Cyrus's.
//
// A mended mailbox is written as a repack writes it: a new index and new caches
// beside the old ones, synced, then renamed. A program that is killed leaves the
// old mailbox or the new one. A message that has to have another UID gets its
// second name before that and loses the first one after it, so that it is never
// without one.
//
// All of it runs while the site is up, under the locks of the mailbox: the user
// lock, the name lock and the lock of the index, exclusively.
package repair
