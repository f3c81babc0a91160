// Package failover kills what a Murder is made of, cuts its links, and looks
// whether what was acknowledged is there, once, and whether the lists of master,
// backends and frontends agree afterwards.
//
// All programs are ours, each server a machine of its own on the loopback
// interface. Clients work through all frontends and keep a ledger: what was
// acknowledged must be there, what was refused must not, and what was asked and
// not answered may be there or not, but whole. NO with "Server(s) unavailable" is
// no answer: the frontend has lost the backend, which may have done it.
//
// TestScripted has the scripted failures, each in a discrete Murder and in a unified one
// whose two masters have their list in etcd; some take the latter. TestRandom kills any one process or
// machine at random, round after round: GOCYRUS_CRASH_ROUNDS is how often,
// GOCYRUS_CRASH_SEED the seed of what clients do and of what is killed.
// GOCYRUS_CUT_SECONDS is how long a slave is cut off its master.
package failover
