// Package crash kills whole servers at random moments and looks whether they
// kept what they had acknowledged.
//
// Clients work on a few users and keep a ledger: what the server said is done,
// must be there after the kill; what was asked and not yet answered may be
// there or not, but whole; what was said to be gone must be gone. After each
// round the site is started again and every user's mailboxes are read over IMAP
// and compared with the ledger; then it is stopped and its files are checked.
//
// GOCYRUS_CRASH_ROUNDS is the number of rounds, GOCYRUS_CRASH_SEED the seed of
// what clients do and when they are killed: the clients' choices come back with
// it, their timing does not.
package crash
