package murder

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// A Murder is a running one. Its methods fail the test themselves.
type Murder struct {
	Dir       string // one directory for each seat is in it
	Master    *Seat  // the first of Masters
	Masters   []*Seat
	Backends  []*Seat // be1, be2, ...
	Frontends []*Seat // fe1, fe2, ...
	Nodes     []*Seat // node1, node2, ...

	t testing.TB
	o Options
}

// New runs a Murder until the end of the test. When it returns, every slave has the
// master's list.
func New(t testing.TB, o Options) *Murder {
	t.Helper()
	m := &Murder{t: t, o: o, Dir: directory(t)}
	// Every address is known before the first server starts: they name each other.
	m.Masters = m.seats(RoleMaster, "master", o.masters())
	m.Backends = m.seats(RoleBackend, "be", o.Backends)
	m.Nodes = m.seats(RoleNode, "node", o.Nodes)
	m.Frontends = m.seats(RoleFrontend, "fe", o.Frontends)
	m.Master = m.Masters[0]
	for _, s := range m.Seats() {
		s.start()
	}
	for _, s := range m.Seats() {
		s.awaitMupdate()
		s.mupdate = s.Children("mupdate")
	}
	return m
}

// directory is a new one with a short name: there are sockets below it, whose paths
// have a limit that a test's name may exceed.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "murder-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (m *Murder) seats(role Role, prefix string, kinds []Kind) []*Seat {
	m.t.Helper()
	var all []*Seat
	for i, kind := range kinds {
		all = append(all, &Seat{Name: fmt.Sprintf("%s%d", prefix, i+1), Role: role, Kind: kind, IP: Machine(m.t), m: m, t: m.t})
	}
	return all
}

// Seats are all of them, masters first.
func (m *Murder) Seats() []*Seat {
	return slices.Concat(m.Masters, m.Backends, m.Nodes, m.Frontends)
}

// Stores are the seats that have mailboxes.
func (m *Murder) Stores() []*Seat { return slices.Concat(m.Backends, m.Nodes) }

// Doors are the seats that clients talk to, and that know every mailbox.
func (m *Murder) Doors() []*Seat { return slices.Concat(m.Nodes, m.Frontends) }

// Named is the text with addresses replaced by the seats' names, and the numbers of
// deleted mailboxes by TIME, so that it is the same in every Murder.
func (m *Murder) Named(text string) string {
	for _, s := range m.Seats() {
		text = strings.ReplaceAll(text, s.IP, s.Name)
	}
	return deleted.ReplaceAllString(text, "${1}.TIME")
}

// addressed is the reverse, for options: $be1 becomes an address.
func (m *Murder) addressed(lines []string) []string {
	var pairs []string
	all := m.Seats()
	// The longer name first: $be1 is the beginning of $be10.
	slices.SortFunc(all, func(a, b *Seat) int { return len(b.Name) - len(a.Name) })
	for _, s := range all {
		pairs = append(pairs, "$"+s.Name, s.IP)
	}
	r := strings.NewReplacer(pairs...)
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i] = r.Replace(lines[i])
	}
	return lines
}

// masterAddrs are the masters' host:port as a seat reaches them.
func (m *Murder) masterAddrs(seat string) string {
	var all []string
	for _, s := range m.Masters {
		addr := s.mupdateAddr()
		if m.o.Through != nil {
			addr = m.o.Through(seat, addr)
		}
		all = append(all, addr)
	}
	return strings.Join(all, " ")
}

// AddUser makes a user's INBOX at a seat, by way of the first door.
func (m *Murder) AddUser(user string, at *Seat) {
	m.t.Helper()
	m.Doors()[0].Session(cyrustest.Admin).Must(fmt.Sprintf("CREATE user.%s %s!default", user, at.IP))
}

func (s *Seat) mupdateAddr() string { return net.JoinHostPort(s.IP, "3905") }
