// Package relaytest stands between a client and a server, as a bad network does:
// it can make the way long, cut it in the middle of an octet stream, or be
// away or silent, and it keeps what went through for the test to read.
package relaytest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// chunk is the most that is read at once.
const chunk = 32 << 10

// onTheWay bounds the chunks that one direction of a connection holds back: at
// 25 ms each way and a gigabyte a second there are fewer.
const onTheWay = 4096

// A Relay passes connections to its address on to a server.
type Relay struct {
	target string
	l      net.Listener

	mu     sync.Mutex
	delay  time.Duration // of one way
	left   int64         // octets to the server until the cut, below 0 for no cut
	away   bool          // connections end as soon as they are made
	plain  bool          // the offer of compression is left out
	record bool
	sent   []byte           // to the server, of all connections
	got    []byte           // from it
	held   [2]chan struct{} // by direction; while not nil nothing goes that way; closed at the end
	until  *holdAt
	ones   []*Held
	conns  map[*conn]bool
	made   int // connections so far
	cuts   int // times that CutAfter came true
}

// New listens on the loopback interface until the end of the test.
func New(t testing.TB, target string) *Relay {
	t.Helper()
	r, err := Listen(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Listen is New outside of tests: the relay lasts until Close.
func Listen(target string) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{target: target, l: l, left: -1, conns: map[*conn]bool{}}
	go r.accept()
	return r, nil
}

// Close ends the relay and its connections.
func (r *Relay) Close() error {
	err := r.l.Close()
	r.Hold(false)
	r.releaseAll()
	r.Cut()
	return err
}

// Addr is where clients connect.
func (r *Relay) Addr() string { return r.l.Addr().String() }

// Delay sets how long an octet takes on its way, each way; the rate stays what
// it is.
func (r *Relay) Delay(d time.Duration) { r.set(func() { r.delay = d }) }

// CutAfter cuts every connection when n more octets have gone to the server,
// once.
func (r *Relay) CutAfter(n int64) { r.set(func() { r.left = n }) }

// Away makes connections end as soon as they are made, and ends those there
// are.
func (r *Relay) Away(away bool) {
	r.set(func() { r.away = away })
	if away {
		r.Cut()
	}
}

// Record keeps what goes through, from now on. The offer of compression is left
// out of greetings, so that it can be read.
func (r *Relay) Record() { r.set(func() { r.record, r.plain, r.sent, r.got = true, true, nil, nil }) }

// Sent is what went to the server since Record, and Received what came back.
func (r *Relay) Sent() (text []byte) {
	r.set(func() { text = append(text, r.sent...) })
	return text
}

// Received is what came from the server since Record.
func (r *Relay) Received() (text []byte) {
	r.set(func() { text = append(text, r.got...) })
	return text
}

// Connections is how many were made so far.
func (r *Relay) Connections() (n int) {
	r.set(func() { n = r.made })
	return n
}

// Cuts is how often CutAfter came true.
func (r *Relay) Cuts() (n int) {
	r.set(func() { n = r.cuts })
	return n
}

// Cut ends all connections now, with a reset.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.reset()
	}
	clear(r.conns)
}

func (r *Relay) set(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

func (r *Relay) accept() {
	for {
		client, err := r.l.Accept()
		if err != nil {
			return
		}
		go r.join(client.(*net.TCPConn))
	}
}

// join connects a client with the server.
func (r *Relay) join(client *net.TCPConn) {
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	c := &conn{client: client, server: server.(*net.TCPConn)}
	r.mu.Lock()
	r.made++
	if r.away {
		c.reset()
		r.mu.Unlock()
		return
	}
	r.conns[c] = true
	plain := r.plain
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pump(c, c.client, c.server, true, false) })
	both.Go(func() { r.pump(c, c.server, c.client, false, plain) })
	both.Wait()
	client.Close()
	server.Close()
	r.set(func() { delete(r.conns, c) })
}
