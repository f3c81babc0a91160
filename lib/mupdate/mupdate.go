// Package mupdate is MUPDATE, the protocol by which the servers of a Cyrus
// Murder tell each other where mailboxes are (RFC 3656 and what Cyrus made of
// it): its lines both ways, a client, and the kick that wakes a slave.
//
// A line is a tag, a word and strings, each string quoted or a literal:
//
//	X1 ACTIVATE {10+}
//	user.alice {23+}
//	be1.example.org!default {21+}
//	alice<TAB>lrswipkxtecdan<TAB>
//
// Names are internal ones. A location is server!partition, the partition may be
// empty and even the "!" may be missing. What a client must do lest a Cyrus
// master breaks down is in safe.go, in one place.
//
// The package knows no mailbox list: who asks brings names, and is told entries.
package mupdate

import (
	"errors"
	"strings"

	"gocyrus/lib/mboxname"
)

var (
	// ErrNotFound is the error of a name that the master does not have.
	ErrNotFound = errors.New("mailbox doesn't exist")
	// ErrExists is the error of a reservation of what somebody else has.
	ErrExists = errors.New("mailbox already exists")
	// ErrNotActive is the error of a deactivation of what is reserved only.
	ErrNotActive = errors.New("mailbox not currently active")
	// ErrLocation is the error of a location that cannot be announced.
	ErrLocation = errors.New("bad location")
	// ErrAway is the error of a master that has lost the list it shares with
	// others. Another one may have it.
	ErrAway = errors.New("mailbox list is out of reach")
	// ErrRefused is the error of any other answer than OK.
	ErrRefused = errors.New("refused by the mupdate server")
	// ErrProtocol is the error of an answer that cannot be read.
	ErrProtocol = errors.New("protocol error")
	// ErrNoServer is the error of a site without mupdate_server.
	ErrNoServer = errors.New("no mupdate server is configured")
)

// State is how far a mailbox is there.
type State uint8

// The states of a mailbox.
const (
	Absent   State = iota // DELETE in a stream
	Reserved              // being created, or moved
	Active
)

// word is how a line about a mailbox in that state begins.
var word = [...]string{Absent: "DELETE", Reserved: "RESERVE", Active: "MAILBOX"}

func (s State) String() string { return word[s] }

// Entry is what a master knows of a mailbox.
type Entry struct {
	State    State
	Name     mboxname.Name
	Location string // server!partition
	ACL      string // identifier TAB rights TAB ...; empty for a reserved one
}

// Server is the server part of the location.
func (e *Entry) Server() string {
	server, _, _ := strings.Cut(e.Location, "!")
	return server
}

// Location joins a server and a partition.
func Location(server, partition string) string { return server + "!" + partition }

// SplitLocation is the reverse. without "!" all of it is the server, and has is
// false.
func SplitLocation(location string) (server, partition string, has bool) {
	return strings.Cut(location, "!")
}

// maxName bounds a name, in octets. A deleted mailbox's has a prefix and a
// time more than Cyrus's longest.
const maxName = 1024

// ValidName says whether a name can stand in a list of mailboxes. It need not be
// one that could be created today.
func ValidName(name mboxname.Name) bool {
	if name == "" || len(name) > maxName || !printable(string(name)) {
		return false
	}
	back, err := mboxname.FromDB(name.DB())
	return err == nil && back == name
}

// ValidLocation says whether a location can be stored.
func ValidLocation(location string) bool {
	return location != "" && len(location) <= maxName && printable(location)
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
