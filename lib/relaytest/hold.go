package relaytest

import "bytes"

// directions of held.
const (
	toServer = iota
	toClient
)

// A holdAt is what HoldAt waits for.
type holdAt struct {
	text []byte
	way  int
	came chan struct{}
}

// Hold lets nothing through any more, without a word to anybody: as a cable that is
// pulled. Connections can still be made. What was held goes on afterwards.
func (r *Relay) Hold(hold bool) {
	r.set(func() {
		for way := range r.held {
			r.hold(way, hold)
		}
	})
}

// hold is Hold of one direction, with the lock held.
func (r *Relay) hold(way int, hold bool) {
	switch held := r.held[way]; {
	case hold && held == nil:
		r.held[way] = make(chan struct{})
	case !hold && held != nil:
		close(held)
		r.held[way] = nil
	}
}

// HoldAt holds one direction when a text is on its way to the server, once: the text
// itself, or, with answers, all that comes back from there on. came is closed then.
// A text that is not read from the client at once is not seen.
func (r *Relay) HoldAt(text string, answers bool) (came <-chan struct{}) {
	at := &holdAt{text: []byte(text), way: toServer, came: make(chan struct{})}
	if answers {
		at.way = toClient
	}
	r.set(func() { r.until = at })
	return at.came
}

// reached looks whether the text of HoldAt is there, with the lock held.
func (r *Relay) reached(text []byte) {
	if at := r.until; at != nil && bytes.Contains(text, at.text) {
		r.hold(at.way, true)
		r.until = nil
		close(at.came)
	}
}

// wait waits until nothing is held in a direction.
func (r *Relay) wait(c *conn, up bool) {
	way := toClient
	if up {
		way = toServer
	}
	var all, one chan struct{}
	r.set(func() { all, one = r.held[way], c.held[way] })
	for _, held := range []chan struct{}{all, one} {
		if held != nil {
			<-held
		}
	}
}
