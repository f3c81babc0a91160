package mupdateserver

import (
	"context"
	"sync"
	"time"
)

// pulse tells whether the process stood still for a time: it was stopped, or its
// machine was. What clients had sent before that they have given up and done at another
// master; to do it now could undo what they did since. So all of it is of a former life,
// as are the sessions of then.
type pulse struct {
	mu    sync.Mutex // all who beat after a standstill hear of it
	last  int64      // Unix nanoseconds; the clock that goes on while a machine sleeps
	lives int64
}

// beatEvery is how often it is looked at, and standstill how long without is a
// standstill: less than client_timeout, for which a backend waits for an answer. To
// take a busy machine for one costs a few clients their connection.
const (
	beatEvery  = time.Second
	standstill = 5 * time.Second
)

// beat is which life this is.
func (p *pulse) beat() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UnixNano()
	if p.last != 0 && now-p.last > int64(standstill) {
		p.lives++
	}
	p.last = now
	return p.lives
}

// run keeps it beating until ctx ends.
func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		p.beat()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
