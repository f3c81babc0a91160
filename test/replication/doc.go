// Package replication runs two or three whole servers, each ours or the real
// Cyrus, lets one replicate to the other, and compares all that they have.
//
// What is compared comes over IMAP, as the users and the administrator see it,
// and over the protocol of replication, whose state and sums both kinds must
// agree on; the client for that is the tests' own and knows nothing of
// lib/csync. Two real servers are compared first: what they differ in when they
// are in step is listed with its reason, all else is an error.
//
// Real Cyrus takes root and the packages cyrus-imapd, cyrus-pop3d and
// cyrus-replication; the tests that need it are skipped elsewhere.
// GOCYRUS_CRASH_ROUNDS is the number of rounds of TestKill, GOCYRUS_CRASH_SEED
// the seed of its choices, GOCYRUS_TAKEOVER "users,messages" the size of
// TestTakeOver. With GOCYRUS_REPLICATION=full everything is compared after every
// single change in every way, and with GOCYRUS_GOON a difference does not end a
// test.
package replication
