package etcdtable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
)

// members are the servers of etcd, each with a client of its own: one is asked as
// long as it answers, and then the next. The client's own way, which is to ask them
// by turns, would have one that hangs hold up every third question.
type members struct {
	conf clientv3.Config
	urls []string

	mu      sync.Mutex
	clients []*clientv3.Client // nil before it is needed: with a password it asks for a token at once
	at      int                // which is asked
	turned  chan struct{}      // closed when it is another
	closed  bool
}

// maxBackoff is how long a client waits at most before it tries to connect again.
const maxBackoff = time.Second

// tokenLimit is how long a member may take to check a password.
const tokenLimit = 2 * time.Second

func newMembers(o *Options) (*members, error) {
	conf := clientv3.Config{
		DialTimeout: min(o.Timeout, tokenLimit), Username: o.User, Password: o.Password, Logger: zap.NewNop(), MaxUnaryRetries: 1,
		// etcd refuses pings that come more often.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: o.Timeout,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxBackoff},
			MinConnectTimeout: o.Timeout,
		})},
	}
	var err error
	if conf.TLS, err = o.tls(); err != nil {
		return nil, err
	}
	return &members{conf: conf, urls: o.Servers, clients: make([]*clientv3.Client, len(o.Servers)), turned: make(chan struct{})}, nil
}

// member is one of them, and what is closed when another is asked.
type member struct {
	*clientv3.Client
	number int
	turned <-chan struct{}
}

// asked is the member that is asked. One whose client cannot be made has been left.
func (m *members) asked() (member, error) {
	m.mu.Lock()
	at, turned := m.at, m.turned
	c := m.clients[at]
	m.mu.Unlock()
	if c != nil {
		return member{c, at, turned}, nil
	}
	conf := m.conf
	conf.Endpoints = m.urls[at : at+1]
	c, err := clientv3.New(conf)
	if err != nil {
		m.leave(at)
		return member{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.clients[at]; other != nil || m.closed {
		c.Close() // somebody else was faster
		c = other
	}
	if c == nil {
		return member{}, errClosed
	}
	m.clients[at] = c
	return member{c, at, turned}, nil
}

// errClosed is the error of a table that was closed.
var errClosed = errors.New("closed")

// leave has the next member asked, if it is still number i.
func (m *members) leave(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == i && len(m.urls) > 1 {
		m.at = (i + 1) % len(m.urls)
		close(m.turned)
		m.turned = make(chan struct{})
	}
}

func (m *members) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for _, c := range m.clients {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// unwell waits until a member is not to be watched any more, or ctx ends: its
// connection broke, which the client's own watch would sit out, or another one is
// asked now.
func (m member) unwell(ctx context.Context) error {
	states, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-m.turned:
			cancel()
		case <-states.Done():
		}
	}()
	conn := m.ActiveConnection()
	was := conn.GetState()
	for conn.WaitForStateChange(states, was) {
		now := conn.GetState()
		if was == connectivity.Ready || now == connectivity.TransientFailure {
			return fmt.Errorf("%w: lost the connection to %v", ErrAway, m.Endpoints())
		}
		was = now
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %v does not answer", ErrAway, m.Endpoints())
}
