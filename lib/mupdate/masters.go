package mupdate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// memory is which of several masters is good, for all who have a copy of the same
// Options. A nil one knows nothing.
type memory struct {
	mu   sync.Mutex
	good string
}

// order is servers in the order in which to try them: the good one and those
// behind it, then those before it.
func (m *memory) order(servers []string) []string {
	if m == nil {
		return servers
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := max(slices.Index(servers, m.good), 0)
	return slices.Concat(servers[i:], servers[:i])
}

// praise remembers a server that let somebody in.
func (m *memory) praise(server string) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.good = server
	}
}

// blame has another one tried first next time.
func (m *memory) blame(server string, servers []string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(servers, server); i >= 0 && (m.good == server || m.good == "") {
		m.good = servers[(i+1)%len(servers)]
	}
}

// Several says whether there is more than one master.
func (o *Options) Several() bool { return len(o.Servers) > 1 }

// Name is what a client or a user is told of the master: the first of several, as
// mupdate_server has it.
func (o *Options) Name() string {
	if len(o.Servers) == 0 {
		return ""
	}
	return o.Servers[0]
}

// headStart is how long a master that neither answers nor refuses may take before
// the next one is tried too.
const headStart = 2 * time.Second

// Connect connects to one of the servers, and logs in: to that which last was
// good, or the first, and when it fails or takes its time to the next. The first
// that lets us in is taken.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if !o.Enabled() {
		return nil, ErrNoServer
	}
	order := o.memory.order(o.Servers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan attempt, len(order))
	var errs []error
	for started := 0; len(errs) < len(order); {
		if started < len(order) {
			go tryOne(ctx, o, order[started], answers)
			started++
		}
		select {
		case a := <-answers:
			if a.err == nil {
				o.memory.praise(a.client.server)
				go closeOthers(answers, started-len(errs)-1)
				return a.client, nil
			}
			errs = append(errs, a.err)
			if ctx.Err() != nil {
				go closeOthers(answers, started-len(errs))
				return nil, errors.Join(errs...)
			}
		case <-wait(started < len(order)):
		}
	}
	return nil, errors.Join(errs...)
}

// wait is a channel on which something comes after headStart; where there is no
// other server to be tried it never does.
func wait(more bool) <-chan time.Time {
	if !more {
		return nil
	}
	return time.After(headStart)
}

// attempt is what came of one server.
type attempt struct {
	client *Client
	err    error
}

func tryOne(ctx context.Context, o Options, server string, answers chan<- attempt) {
	c, err := connect(ctx, o, server)
	if err != nil {
		err = fmt.Errorf("mupdate server %s: %w", server, err)
	}
	answers <- attempt{c, err}
}

// closeOthers closes what n attempts still bring, which are not needed any more.
func closeOthers(answers <-chan attempt, n int) {
	for range n {
		if a := <-answers; a.err == nil {
			a.client.Close()
		}
	}
}
