package failover

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/etcdtest"
	"gocyrus/test/internal/murder"
)

// halfKnown is what a server says of a mailbox that its list has the children of, and not
// yet, or no longer, the mailbox itself.
const halfKnown = "[HASCHILDREN]"

// What may be refused while something is dead, by what that is.
var (
	// withoutSlave: a frontend does not hear of what is made or removed through another. A
	// node that hears of it just while it looks says that it is with another.
	withoutSlave = []string{"Mailbox already exists", "Mailbox does not exist", "[TRYCREATE] Mailbox does not exist", "Mailbox has been moved", halfKnown}
	// withoutMaster: nothing can be made.
	withoutMaster = append([]string{"no connection to server"}, withoutSlave...)
	// withoutBackend: its mailboxes are away.
	withoutBackend = []string{lostBackend, halfMoved, "451 "}
	// moving: a user is between two backends.
	moving = []string{"Mailbox has been moved", halfKnown, "Mailbox does not exist", "[TRYCREATE] Mailbox does not exist", "Mailbox already exists", "Permission denied", "unable to reserve", "Cross-server", lostBackend, halfMoved, "451 "}
)

// TestRandom kills any one process, or any one machine, at random, while clients work
// and users move: in a discrete Murder, in a unified one, and in one whose two masters
// have their list in an etcd of three.
func TestRandom(t *testing.T) {
	for _, kind := range []struct {
		name string
		run  func(t *testing.T) *ground
	}{
		{"discrete", func(t *testing.T) *ground { return newGround(t, options(3, 2), 6) }},
		{"unified", func(t *testing.T) *ground { return newGround(t, unified(), 6) }},
		{"unified with two masters", twoMasters},
	} {
		t.Run(kind.name, func(t *testing.T) {
			g := kind.run(t)
			for n := range setting(t, "GOCYRUS_CRASH_ROUNDS", 3) {
				g.round(n)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// unified is a Murder of three nodes.
func unified() murder.Options {
	o := options(0, 0)
	o.Nodes = make([]murder.Kind, 3)
	return o
}

// twoMasters is a unified Murder that no single death keeps from anything but the
// mailboxes of a node.
func twoMasters(t *testing.T) *ground {
	c := etcdtest.Start(t, 3)
	g := newGround(t, onEtcd(t, unified(), c, "/mupdate/"), 6)
	g.etcd = c
	return g
}

// round kills one thing while clients work, brings it back, and verifies. In two of
// three rounds users move.
func (g *ground) round(n int) {
	g.t.Helper()
	movers := 0
	var always []string
	if g.r.IntN(3) > 0 {
		movers = setting(g.t, "GOCYRUS_MOVERS", 2)
		always = moving
	}
	victim := g.victim()
	g.l.excuse(always...)
	c := g.work(2, 3)
	m := c.move(movers)
	c.more(50 + g.r.IntN(150))
	g.l.excuse(slices.Concat(always, victim.excuses)...)
	victim.kill()
	time.Sleep(time.Duration(g.r.IntN(400)) * time.Millisecond)
	c.more(g.r.IntN(60))
	victim.back()
	c.calm(slices.Concat(always, victim.after)...)
	c.more(50)
	c.home()
	g.t.Logf("round %d: %s killed, %d users moved, not moved: %v", n, victim.name, m.done, tally(m.refused))
	g.verify()
}

// A victim is a machine, or the processes of one program on it.
type victim struct {
	name       string
	kill, back func()
	excuses    []string // what may be refused meanwhile
	after      []string // and what when it is back
}

// victim picks one.
func (g *ground) victim() *victim {
	all := g.m.Seats()
	if g.etcd == nil || g.r.IntN(4) > 0 {
		return g.seat(all[g.r.IntN(len(all))])
	}
	n := g.r.IntN(len(g.etcd.Members))
	e := g.etcd.Members[n]
	return &victim{name: fmt.Sprintf("etcd %d", n), kill: e.Kill, back: func() { e.Resume(); e.Wait() }}
}

// seat is a victim of a seat.
func (g *ground) seat(s *murder.Seat) *victim {
	v := &victim{name: s.Name, kill: s.Kill, back: s.Resume}
	programs := []string{""}
	switch s.Role {
	case murder.RoleMaster:
		programs = append(programs, "mupdate")
		if len(g.m.Masters) == 1 {
			v.excuses = withoutMaster
			v.after = withoutSlave // what was undone, the master is told later
		}
	case murder.RoleBackend:
		programs = append(programs, "imapd", "lmtpd", "idled")
		v.excuses = withoutBackend
	case murder.RoleFrontend:
		programs = append(programs, "imapd", "lmtpd", "mupdate")
		v.excuses = withoutSlave
	case murder.RoleNode:
		programs = append(programs, "imapd", "lmtpd", "idled", "mupdate")
		v.excuses = slices.Concat(withoutBackend, withoutSlave)
	}
	if program := programs[g.r.IntN(len(programs))]; program != "" {
		v.name = program + " of " + s.Name
		v.kill = func() { s.KillService(program) }
		v.back = func() {} // the machine's master starts another
	}
	return v
}

// move has administrators move users to and fro, n of them at a time.
func (c *crew) move(n int) *mover {
	m := &mover{l: c.g.l, doors: c.g.imapDoors(), refused: map[string]int{}}
	for _, s := range c.g.m.Stores() {
		m.servers = append(m.servers, s.IP)
	}
	for range n {
		r := c.g.fork()
		c.all.Go(func() { m.run(r, c.stop) })
	}
	return m
}

// tally is what there is how often, in order.
func tally(of map[string]int) (lines []string) {
	for _, text := range slices.Sorted(maps.Keys(of)) {
		lines = append(lines, fmt.Sprintf("%d x %s", of[text], text))
	}
	return lines
}
