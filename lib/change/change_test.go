package change

import "testing"

// TestAddUID checks that a list is cut at its bound, and says so.
func TestAddUID(t *testing.T) {
	var c Commit
	for uid := range uint32(MaxUIDs) {
		c.AddUID(&c.Appended, uid+1)
	}
	if len(c.Appended) != MaxUIDs || c.Many {
		t.Errorf("%d UIDs, many %v", len(c.Appended), c.Many)
	}
	c.AddUID(&c.Appended, 1<<31)
	if len(c.Appended) != MaxUIDs || !c.Many || c.Appended[MaxUIDs-1] != MaxUIDs {
		t.Errorf("one more: %d UIDs, many %v", len(c.Appended), c.Many)
	}
	var heard []*Commit
	Sink(Func(func(c *Commit) { heard = append(heard, c) })).Committed(&c)
	if len(heard) != 1 || heard[0] != &c {
		t.Errorf("heard %v", heard)
	}
}
