package murder

import (
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/repair"
)

// Kind is whose programs a seat runs.
type Kind int

// The kinds.
const (
	Ours Kind = iota
	Real      // Cyrus 3.6.1 as Debian packages it
)

func (k Kind) String() string {
	if k == Real {
		return "real"
	}
	return "our"
}

// start starts a server.
func (k Kind) start(t testing.TB, o cyrustest.Options) *cyrustest.Server {
	t.Helper()
	if k == Real {
		return cyrustest.Real(t, o)
	}
	return cyrustest.Start(t, o)
}

// Role is what a seat does in the Murder.
type Role string

// The roles.
const (
	RoleMaster   Role = "master"
	RoleBackend  Role = "backend"
	RoleFrontend Role = "frontend"
	RoleNode     Role = "node" // of a unified Murder: frontend and backend
)

// Identities that the servers have with one another. Everybody's password is
// cyrustest.Password, as is every user's.
const (
	Mupman  = "mupman"  // everybody's at the master, and at a slave's own port
	Proxy   = "murder"  // a frontend's at a backend: acts for users, is no administrator
	XferAdm = "xferadm" // a backend's at another, to move mailboxes: an administrator
)

// Options say which Murder. The zero value has one master of ours and nothing else.
type Options struct {
	// Master is the kind of the only master. Masters, when not empty, are several:
	// what makes them one is in their lines of Imapd.
	Master  Kind
	Masters []Kind

	// Backends and Frontends are those of a discrete Murder; Nodes those of a
	// unified one, which may have frontends besides.
	Backends, Frontends, Nodes []Kind

	// Imapd are further lines of imapd.conf, by seat ("be2"), by role ("backend")
	// and for all (""), in the order all, role, seat. One that names an option which
	// is set already takes its place. Besides what cyrustest expands, $be1, $fe2,
	// $node1, $master1 are the servernames of seats, which are addresses.
	Imapd map[string][]string

	// Entries are further lines of cyrus.conf, by seat or role, then section.
	Entries map[string]map[string][]string

	// Through, when not nil, is asked once per seat that talks to a master, before
	// it is started: it returns the host:port by which that seat ("fe1") is to reach
	// the master at host:port master. It is where a relay goes.
	Through func(seat, master string) string

	// Tolerate says which findings about a spool of ours are no failure at the end:
	// cyrustest.AfterCrash, where a seat is killed.
	Tolerate func(repair.Finding) bool
}

// masters are the kinds of all masters.
func (o *Options) masters() []Kind {
	if len(o.Masters) > 0 {
		return o.Masters
	}
	return []Kind{o.Master}
}
