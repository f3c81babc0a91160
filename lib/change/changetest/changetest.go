// Package changetest has a journal for the tests of stores.
package changetest

import (
	"sync"

	"gocyrus/lib/change"
)

// Journal notes what it is told.
type Journal struct {
	mu          sync.Mutex
	begun, done []change.Event
}

// Begin notes events that begin.
func (j *Journal) Begin(events ...change.Event) (done func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun = append(j.begun, events...)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.done = append(j.done, events...)
	}
}

// Take yields the events that are done, and forgets them; whole is false when some
// have begun and are not done.
func (j *Journal) Take() (events []change.Event, whole bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	events, whole = j.done, len(j.begun) == len(j.done)
	j.begun, j.done = nil, nil
	return events, whole
}
