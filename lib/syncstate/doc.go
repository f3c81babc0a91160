// Package syncstate says what a mailbox looks like to replication: it turns what
// the stores hold into the objects of the sync protocol. The server answers GET
// with them, and the client compares them with what the replica answered and sends
// them in APPLY; both must see the same mailbox in the same way, so both see it
// here.
//
// The package reads and changes nothing, and speaks to no peer.
package syncstate
