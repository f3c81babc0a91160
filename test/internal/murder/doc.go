// Package murder runs whole Murders for tests: masters, backends, frontends or the
// nodes of a unified one, each of ours or of the Cyrus that Debian packages
// (cyrus-murder), in any mixture.
//
// Every seat is a machine of its own: an address in 127/8, by which the others know
// it, for that is its servername too, and there the ports that the protocols have.
// So a server of either kind finds one of the other without a name service. It takes
// root, as real Cyrus does; without it tests are skipped, and without the packages
// those with a real seat.
//
// A Seat is a cyrustest.Server: it is stopped, killed and resumed as one, and what
// it leaves is checked at the end of the test. Any password is right in every seat.
package murder
