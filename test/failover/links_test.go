package failover

import (
	"testing"
	"time"

	"gocyrus/lib/relaytest"
	"gocyrus/test/internal/rig"
)

// links are a server's relays to the masters, in the order of its list.
type links []*relaytest.Relay

func (s *scene) relay(t *testing.T, part, target string) string {
	t.Helper()
	r := relaytest.New(t, target)
	s.links[part] = append(s.links[part], r)
	return r.Addr()
}

func (all links) each(fn func(*relaytest.Relay)) {
	for _, r := range all {
		fn(r)
	}
}

func (all links) hold(hold bool) { all.each(func(r *relaytest.Relay) { r.Hold(hold) }) }
func (all links) away(away bool) { all.each(func(r *relaytest.Relay) { r.Away(away) }) }
func (all links) cut()           { all.each((*relaytest.Relay).Cut) }

// never is no text that anybody sends.
const never = "\x00\x01never\x01\x00"

// holdAt holds the link on which a text comes first, or the answers to it. at says which
// it was.
func (all links) holdAt(text string, answers bool) (at func(t *testing.T, what string) int) {
	came := make(chan int, len(all))
	over := make(chan struct{})
	for i, r := range all {
		here := r.HoldAt(text, answers)
		go func() {
			select {
			case <-here:
				came <- i
			case <-over:
			}
		}()
	}
	return func(t *testing.T, what string) int {
		t.Helper()
		defer close(over)
		select {
		case i := <-came:
			for j, r := range all {
				if j != i {
					r.HoldAt(never, false)
				}
			}
			return i
		case <-time.After(rig.Patience):
			t.Fatalf("%s: no %q", what, text)
			return 0
		}
	}
}
