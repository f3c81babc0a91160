// Package examples runs the sites of docs/examples from the files that lie there.
//
// A machine is an address of the loopback interface of its own (all of 127.0.0.0/8
// is), so that every service keeps the port that its files give it; that takes root.
// Only addresses, paths, passwords and certificates are replaced. What is not installed is
// skipped, by name; .ci/run installs all of it on Debian.
package examples
