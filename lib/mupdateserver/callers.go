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

// briefly is how long callers wait for a connection that is not to be had at once.
const briefly = 2 * time.Second

// hold waits, and sends callers away where that takes long: a user waits for each.
func (c *callers) hold(ctx context.Context, pause time.Duration) {
	over := time.After(pause)
	var calls chan net.Conn
	if pause > briefly {
		for _, k := range c.left() {
			k.Close()
		}
		calls = c.calls
	}
	for {
		select {
		case k := <-calls:
			k.Close()
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}
