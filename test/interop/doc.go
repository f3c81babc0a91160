// Package interop holds tests alone: our servers with the clients that people
// use, and with the real Cyrus in the place of each of its programs.
//
// A client that is not installed is skipped with its name; .ci/run installs
// all of them on Debian.
package interop
