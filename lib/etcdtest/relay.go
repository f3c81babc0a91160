package etcdtest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Relay is a way to a member that can be cut.
type Relay struct {
	URL string

	l     net.Listener
	to    string
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Relay makes a way to the member, which lasts until the end of the test.
func (m *Member) Relay(t testing.TB) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{URL: "http://" + l.Addr().String(), l: l, to: strings.TrimPrefix(m.URL, "http://"), conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() { r.run(&all) })
	t.Cleanup(func() { l.Close(); r.Cut(); all.Wait() })
	return r
}

func (r *Relay) run(all *sync.WaitGroup) {
	for {
		in, err := r.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.to)
		if err != nil {
			in.Close()
			continue
		}
		r.mu.Lock()
		r.conns[in], r.conns[out] = true, true
		r.mu.Unlock()
		all.Go(func() { r.copy(in, out) })
		all.Go(func() { r.copy(out, in) })
	}
}

// copy ends both directions when one does.
func (r *Relay) copy(to, from net.Conn) {
	// Why it ended does not matter: it was cut, or one side has gone.
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, from)
}

// Cut breaks all connections; what was answered meanwhile is lost.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}
