package failover

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/etcdtest"
	"gocyrus/test/internal/murder"
)

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// A ground is a Murder with its ledger.
type ground struct {
	t *testing.T
	m *murder.Murder
	l *ledger
	r *rand.Rand

	etcd *etcdtest.Cluster // of the masters, or nil
}

// options are a discrete Murder of ours, where debts to the master are paid soon.
func options(backends, frontends int) murder.Options {
	return murder.Options{
		Backends: make([]murder.Kind, backends), Frontends: make([]murder.Kind, frontends),
		Imapd:    map[string][]string{"": {"mupdate_retry_delay: 1", "lmtptxn_timeout: 60s"}},
		Tolerate: cyrustest.AfterCrash,
	}
}

// newGround runs a Murder and makes users, on one server after the other, and a
// shared mailbox on each.
func newGround(t *testing.T, o murder.Options, users int) *ground {
	t.Helper()
	seed := setting(t, "GOCYRUS_CRASH_SEED", int(time.Now().UnixNano()>>16&0x7fffffff))
	t.Logf("GOCYRUS_CRASH_SEED=%d", seed)
	g := &ground{t: t, m: murder.New(t, o), r: rand.New(rand.NewPCG(uint64(seed), 0))}
	stores := g.m.Stores()
	admin := g.m.Doors()[0].Session(cyrustest.Admin)
	var names []string
	for i := range users {
		name, at := fmt.Sprintf("u%d", i), stores[i%len(stores)].IP
		names = append(names, name)
		admin.Must(fmt.Sprintf("CREATE user.%s %s!default", name, at), fmt.Sprintf("CREATE user.%s.Keep", name))
	}
	g.l = newLedger(names...)
	for i, s := range stores {
		name := fmt.Sprintf("shared%d", i+1)
		admin.Must(fmt.Sprintf("CREATE %s %s!default", name, s.IP), "SETACL "+name+" anyone lrswipte")
		g.l.shared.boxes = append(g.l.shared.boxes, newBox(name))
	}
	g.m.Settled()
	return g
}

func (g *ground) imapDoors() (all []string) {
	for _, s := range g.m.Doors() {
		all = append(all, s.IMAP)
	}
	return all
}

// fork makes a source of choices for one goroutine.
func (g *ground) fork() *rand.Rand { return rand.New(rand.NewPCG(g.r.Uint64(), g.r.Uint64())) }

// A crew is all that work at a time: workers for each user, senders, and who moves
// users.
type crew struct {
	g    *ground
	stop chan struct{}
	all  sync.WaitGroup
}

// work starts workers and senders.
func (g *ground) work(perUser, senders int) *crew {
	c := &crew{g: g, stop: make(chan struct{})}
	for _, u := range g.l.users {
		for range perUser {
			w := &worker{l: g.l, u: u, r: g.fork(), doors: g.imapDoors()}
			c.all.Go(func() { w.run(c.stop) })
		}
	}
	for range senders {
		s := &sender{l: g.l, r: g.fork(), doors: g.m.Doors()}
		c.all.Go(func() { s.run(c.stop) })
	}
	return c
}

// more waits until n more commands have been acknowledged, as long as some are.
func (c *crew) more(n int) {
	c.g.t.Helper()
	for until := c.acknowledged() + n; c.acknowledged() < until; {
		now := c.acknowledged()
		c.g.m.Eventually("another command to be acknowledged", func() bool { return c.acknowledged() > now })
	}
}

func (c *crew) acknowledged() (n int) {
	c.g.l.locked(func() { n = c.g.l.done })
	return n
}

// calm waits until every frontend follows the master; then nothing is refused any
// more but what begins with excuses.
func (c *crew) calm(excuses ...string) {
	c.g.t.Helper()
	c.g.m.Eventually("every frontend to follow the master", func() bool {
		for _, s := range c.g.m.Doors() {
			if s.Kick() != nil {
				return false
			}
		}
		return true
	})
	c.g.l.excuse(excuses...)
}

// home ends the work after what everybody is doing.
func (c *crew) home() {
	close(c.stop)
	c.all.Wait()
}

// verify waits until all lists agree, verifies what everybody has, and reports what
// is wrong.
func (g *ground) verify() {
	g.t.Helper()
	agreed(g.t, g.m)
	g.l.verify(g.imapDoors())
	g.t.Logf("%d acknowledged, %d without an answer, %d faults", g.l.done, g.l.unsure, len(g.l.faults))
	for _, line := range tally(g.l.noes) {
		g.t.Logf("refused: %s", line)
	}
	for _, text := range g.l.faults {
		g.t.Error(text)
	}
	g.l.faults = nil
	clear(g.l.noes)
}
