package crash_test

import (
	"sync"

	"gocyrus/test/internal/rig"
)

// A crew is all that work on a site in a round: two clients a user, three
// senders, an administrator.
type crew struct {
	clients []*client
	senders []*sender
	admin   *administrator
	stop    chan struct{}
	all     sync.WaitGroup
}

func (g *ground) crew(f *faults) *crew {
	c := &crew{stop: make(chan struct{}), admin: &administrator{s: g.s, r: g.fork(), f: f}}
	for i := range 2 * users {
		c.clients = append(c.clients, &client{u: g.s.users[i%users], s: g.s, r: g.fork(), f: f})
	}
	for range 3 {
		c.senders = append(c.senders, &sender{s: g.s, r: g.fork(), f: f})
	}
	return c
}

func (c *crew) start(s *rig.Site) {
	for _, one := range c.clients {
		c.all.Go(func() { one.run(s.IMAP, c.stop) })
	}
	for _, one := range c.senders {
		c.all.Go(func() { one.run(s.LMTP, c.stop) })
	}
	c.all.Go(func() { c.admin.run(s.IMAP, c.stop) })
}

// wait ends those who still work after what they are doing.
func (c *crew) wait() {
	close(c.stop)
	c.all.Wait()
}

// done is how much was acknowledged.
func (c *crew) done() int {
	n := c.admin.done
	for _, one := range c.clients {
		n += one.done
	}
	for _, one := range c.senders {
		n += one.done
	}
	return n
}
