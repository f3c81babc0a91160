package failover

import (
	"testing"
	"time"

	"gocyrus/test/internal/murder"
)

// mastersKilled kills masters while clients work, several times: one of two, which nobody
// notices, or all.
func mastersKilled(t *testing.T, p *topology) {
	g := newGround(t, p.options(t), 6)
	c := g.work(2, 3)
	for n := range setting(t, "GOCYRUS_CRASH_ROUNDS", 3) {
		var meanwhile, after []string
		dead := g.m.Masters
		if n%2 == 0 && len(dead) > 1 {
			at := g.r.IntN(len(dead))
			dead = dead[at : at+1]
		} else {
			meanwhile, after = withoutMaster, withoutSlave // what was undone, the master is told later
		}
		c.more(100 + g.r.IntN(200))
		g.l.excuse(meanwhile...)
		for _, s := range dead {
			s.Kill()
		}
		c.more(g.r.IntN(50))
		time.Sleep(time.Duration(g.r.IntN(300)) * time.Millisecond)
		resume(dead)
		c.calm(after...)
	}
	c.more(300)
	c.home()
	g.verify()
}

// resume starts servers again.
func resume(all []*murder.Seat) {
	for _, s := range all {
		s.Resume()
	}
}
