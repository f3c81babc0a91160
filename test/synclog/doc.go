// Package synclog tests that everything that changes mail, and whoever changes it,
// says so in the replication log: a whole server does what Cyrus 3.6.1 did when its
// log was recorded, and names the same things.
package synclog
