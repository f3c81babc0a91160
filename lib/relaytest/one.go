package relaytest

import "bytes"

// A Held is what HoldOne waits for, and then holds.
type Held struct {
	r     *Relay
	texts [][]byte
	way   int
	came  chan struct{}
	freed chan struct{}
	there bool // came is closed
	free  bool // freed is closed
}

// HoldOne is HoldAt for one connection: the first on which all of the texts are on their
// way to the server at once. The others go on.
func (r *Relay) HoldOne(answers bool, texts ...string) *Held {
	h := &Held{r: r, way: toServer, came: make(chan struct{}), freed: make(chan struct{})}
	if answers {
		h.way = toClient
	}
	for _, text := range texts {
		h.texts = append(h.texts, []byte(text))
	}
	r.set(func() { r.ones = append(r.ones, h) })
	return h
}

// Came is closed when the texts are there.
func (h *Held) Came() <-chan struct{} { return h.came }

// Release lets go on what is held, and has nothing held any more.
func (h *Held) Release() {
	h.r.set(func() {
		h.there = true
		if !h.free {
			h.free = true
			close(h.freed)
		}
	})
}

func (r *Relay) releaseAll() {
	var all []*Held
	r.set(func() { all = r.ones })
	for _, h := range all {
		h.Release()
	}
}

// reachedOne looks whether the texts of HoldOne are there, with the lock held.
func (r *Relay) reachedOne(c *conn, text []byte) {
	for _, h := range r.ones {
		if !h.there && contains(text, h.texts) {
			h.there = true
			c.held[h.way] = h.freed
			close(h.came)
		}
	}
}

func contains(text []byte, all [][]byte) bool {
	for _, one := range all {
		if !bytes.Contains(text, one) {
			return false
		}
	}
	return true
}
