package failover

import (
	"testing"

	"gocyrus/test/internal/murder"
)

// moves moves users while they work: nothing is killed, and nothing is lost.
func moves(t *testing.T, p *topology) {
	o := p.options(t)
	if !p.unified {
		o.Backends = append(o.Backends, murder.Ours)
	}
	g := newGround(t, o, 6)
	g.l.excuse(moving...)
	c := g.work(2, 3)
	m := c.move(4)
	c.more(1500)
	c.home()
	t.Logf("%d users moved, not moved: %v", m.done, tally(m.refused))
	if m.done == 0 {
		t.Error("nobody moved")
	}
	g.verify()
}
