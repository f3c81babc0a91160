// Package syncclient brings a replica to the state of this server, over the sync
// protocol.
//
// What is to be done is planned apart from doing it. The plan compares what is here
// with what the replica says it has and yields steps (differences of a mailbox in
// compare.go, renames and deletions in folders.go, two histories of one mailbox in
// merge.go); it reads and changes nothing. The rest of the package reads the local
// state, carries the steps out and survives what goes wrong meanwhile.
//
// One connection carries many users at the same time, a goroutine each: requests go
// out without waiting for the answers to earlier ones, so that a long way to the
// replica costs time only once. For one user order is kept. Bodies are announced by
// their GUID first (RESERVE), and only what the replica does not have anywhere in
// the mailboxes at hand is sent (MESSAGE); what this connection has put there once
// is not sent again until the replica was told to forget it (RESTART).
//
// No lock of the store is held while the replica is waited for. What keeps two
// clients off one user is a lock file of its own (locks.go).
package syncclient
