// Package synclog writes and reads the logs that replication works from.
//
// A log names, a line each, what may differ from the replica, never how:
//
//	APPEND user.alice
//	MAILBOX "user.alice.With Space"
//	SUB alice user.alice.Sent
//
// There is one log a channel, an ordinary file below configdirectory/sync, which
// every process of the server appends to and the channel's reader takes aside by
// renaming it. Format, file names and locks are Cyrus's (imap/sync_log.c), whose
// programs may write and read the same logs at the same time. docs/format/sync-log.md
// has them.
//
// # Writing
//
// A [Log] is the writing side of one process: a sink of the commits of mailboxes
// ([Log.Committed]) and the [change.Journal] of all else ([Log.Begin]). A user's
// operation never fails because a log cannot be written: lines that could not be are
// kept and tried again.
//
// A line that the file holds already is not written again. That is right because
// lines carry no data: the change is on disk when the line is asked for, so a reader
// who takes the file after that finds it. Nor is the disk waited for. A killed
// process loses nothing: what it wrote is the kernel's, and what it was about to
// write is in a note of lib/inflight. After a crash of the machine, which can lose
// the last second of a log, whoever starts first logs all that changed shortly
// before.
//
// # Reading
//
// [Take] takes a channel's log aside, [Taken.Batch] reads it, [Taken.Done] removes
// it. What a dead reader left is taken first.
package synclog
