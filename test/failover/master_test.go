package failover

import (
	"testing"
	"time"
)

// TestMaster kills the master while clients work, several times.
func TestMaster(t *testing.T) {
	g := newGround(t, options(2, 2), 6)
	c := g.work(2, 3)
	for range setting(t, "GOCYRUS_CRASH_ROUNDS", 3) {
		c.more(100 + g.r.IntN(200))
		g.l.excuse(withoutMaster...)
		g.m.Master.Kill()
		c.more(g.r.IntN(50))
		time.Sleep(time.Duration(g.r.IntN(300)) * time.Millisecond)
		g.m.Master.Resume()
		c.calm(withoutSlave...) // what was undone, the master is told later
	}
	c.more(300)
	c.home()
	g.verify()
}
