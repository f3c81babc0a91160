// Package rig runs a whole server for tests that do to it what the tests of
// single packages cannot: kill it, starve it, lie to it.
//
// Build makes the programs once for a test binary, New a site in a temporary
// directory on loopback ports, and IMAP and LMTP are clients that say exactly
// what they are told and hide nothing of the answer.
package rig
