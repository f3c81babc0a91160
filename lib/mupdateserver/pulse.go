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
//
// How long it may stand still follows client_timeout, for which a backend waits for an
// answer: what came may have been sent as long before as is no standstill, and is carried out
// within the rest of that time. To take a busy machine for one that stands still costs a few
// clients their connection.
type pulse struct {
	limit    time.Duration // without a beat for so long is a standstill
	patience time.Duration // for which a change may wait

	mu    sync.Mutex // all who beat after a standstill hear of it
	last  int64      // Unix nanoseconds; the clock that goes on while a machine sleeps
	lives int64
}

// longestStandstill bounds a standstill where clients wait for long; their sessions end.
const longestStandstill = 5 * time.Second

// leastClientTimeout is the shortest client_timeout of which half can be told from the
// pauses of a machine at work.
const leastClientTimeout = 2 * time.Second

// setFor sets the limits where clients wait so long for an answer; ours take 0 for twice the
// longest standstill.
func (p *pulse) setFor(clientTimeout time.Duration) {
	if clientTimeout <= 0 {
		clientTimeout = 2 * longestStandstill
	}
	p.limit = min(clientTimeout/2, longestStandstill)
	p.patience = clientTimeout - p.limit
}

// beatsPerLimit is how often it is looked whether it has stood still.
const beatsPerLimit = 5

// beat is which life this is.
func (p *pulse) beat() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UnixNano()
	if p.last != 0 && now-p.last > int64(p.limit) {
		p.lives++
	}
	p.last = now
	return p.lives
}

// late says whether what came at a time, in Unix nanoseconds, has waited for so long that
// its client may have given it up.
func (p *pulse) late(came int64) bool { return time.Now().UnixNano()-came > int64(p.patience) }

// run keeps it beating until ctx ends.
func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(p.limit / beatsPerLimit)
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
