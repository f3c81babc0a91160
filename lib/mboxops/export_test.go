package mboxops

import (
	"context"
	"time"
)

// PayAll tells the master at once what it has yet to be told.
func (o *Ops) PayAll(ctx context.Context) error { return o.payAll(ctx) }

// Owed is how much that is.
func (m *Murder) Owed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.owed)
}

// SetIdle is how long a connection is kept.
func (m *Murder) SetIdle(d time.Duration) { m.opt.Idle = d }
