package mupdateserver

import (
	"context"
	"net"
	"time"
)

// callers are those who kick a slave. With one master nobody listens to them while
// there is no connection to it, as in Cyrus: they go on at once with what they have.
// With several the next master is likely to be there in a moment, and they wait for
// that. All of it is the slave's goroutine's.
type callers struct {
	patient bool // there are several masters
	calls   chan net.Conn

	listener *kickListener
	stop     context.CancelFunc
	ended    chan struct{}
	waiting  []net.Conn // whom a master that is gone did not answer
	lost     time.Time  // when it went
}

// open begins to listen, unless it has.
func (c *callers) open(path string) error {
	if c.listener != nil {
		return nil
	}
	l, err := listenKicks(path)
	if err != nil {
		return err
	}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	c.listener, c.calls, c.ended = l, make(chan net.Conn), make(chan struct{})
	go func() {
		defer close(c.ended)
		l.accept(ctx, c.calls)
	}()
	return nil
}

// close sends everybody away.
func (c *callers) close() {
	for _, k := range c.left() {
		k.Close()
	}
	if c.listener == nil {
		return
	}
	c.stop()
	c.listener.Close()
	<-c.ended
	c.listener = nil
}

// left are those who wait since before this connection.
func (c *callers) left() []net.Conn {
	all := c.waiting
	c.waiting = nil
	return all
}

// answer is what becomes of one when the master has answered, or is gone.
func (c *callers) answer(k net.Conn) func(ok bool) {
	return func(ok bool) {
		switch {
		case ok:
			kicked(k)
		case c.patient:
			c.waiting = append(c.waiting, k)
		default:
			k.Close()
		}
	}
}

// briefly is the pause before the next attempt up to which callers wait: there will be a
// connection in a moment.
const briefly = 2 * time.Second

// callersWait is how long after a master was lost callers wait for the next one. A user waits
// for each of them; when no master is there for long, they go on with what they have.
const callersWait = 5 * time.Second

// lose says that the master is gone.
func (c *callers) lose() { c.lost = time.Now() }

// hold waits before the next attempt.
func (c *callers) hold(ctx context.Context, pause time.Duration) {
	if pause > briefly {
		c.lost = time.Time{}
	}
	c.without(func() {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	})
}

// without runs fn, during which there is no master.
func (c *callers) without(fn func()) {
	if c.listener == nil {
		fn()
		return
	}
	back, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.sendAway(back)
	}()
	fn()
	close(back)
	<-ended
}

// sendAway sends callers away once they have waited long enough, until there is a master again.
func (c *callers) sendAway(back <-chan struct{}) {
	over := time.NewTimer(time.Until(c.lost.Add(callersWait)))
	defer over.Stop()
	select {
	case <-over.C:
	case <-back:
		return
	}
	for _, k := range c.left() {
		k.Close()
	}
	for {
		select {
		case k := <-c.calls:
			k.Close()
		case <-back:
			return
		}
	}
}
