package failover

import "testing"

// TestMoves moves users while they work: nothing is killed, and nothing is lost.
func TestMoves(t *testing.T) {
	g := newGround(t, options(3, 2), 6)
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
