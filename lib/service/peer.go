package service

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// unixSocket names the client of a socket that is none of the internet's.
const unixSocket = "[unix socket]"

const (
	lookupWait  = 500 * time.Millisecond // how long a session waits for its client's name
	lookupLimit = 10 * time.Second       // how long the resolver may take for later sessions
	nameLife    = 5 * time.Minute        // how long a name, or its lack, is remembered
	maxNames    = 4096
	maxLookups  = 64 // at once; beyond that clients go by their address
)

// resolver is what of *net.Resolver is needed.
type resolver interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// nameCache finds and remembers the names of clients' addresses.
type nameCache struct {
	resolver resolver
	slots    chan struct{}

	mu    sync.Mutex
	names map[netip.Addr]*client
}

func newNameCache() *nameCache {
	return &nameCache{
		resolver: net.DefaultResolver,
		slots:    make(chan struct{}, maxLookups),
		names:    map[netip.Addr]*client{},
	}
}

// client is an address and the name it has.
type client struct {
	addr string     // "[127.0.0.1]"
	ip   netip.Addr // not valid for other than internet sockets

	known chan struct{} // closed when name is final; nil when it was from the start
	born  time.Time

	mu    sync.Mutex
	name  string // "localhost [127.0.0.1]"
	final bool
	tell  []func(string)
}

// client returns the client at addr; the look-up of its name goes on beside.
func (n *nameCache) client(addr net.Addr) *client {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return &client{addr: unixSocket, name: unixSocket, final: true}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.names[ip]; c != nil && now.Sub(c.born) < nameLife {
		return c
	}
	if len(n.names) >= maxNames {
		n.forget(now)
	}
	c := &client{addr: "[" + ip.String() + "]", ip: ip, born: now, known: make(chan struct{})}
	c.name = c.addr
	n.names[ip] = c
	select {
	case n.slots <- struct{}{}:
		go func() {
			c.resolved(n.lookup(ip))
			<-n.slots
		}()
	default:
		delete(n.names, ip)
		c.final = true
		close(c.known)
	}
	return c
}

// forget makes room: first what is too old, then, if that is not enough,
// everything.
func (n *nameCache) forget(now time.Time) {
	for ip, c := range n.names {
		if now.Sub(c.born) >= nameLife {
			delete(n.names, ip)
		}
	}
	if len(n.names) >= maxNames {
		clear(n.names)
	}
}

// lookup returns the first name of ip that leads back to it, or nothing.
func (n *nameCache) lookup(ip netip.Addr) string {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	names, err := n.resolver.LookupAddr(ctx, ip.WithZone("").String())
	if err != nil {
		return ""
	}
	for _, name := range names {
		back, err := n.resolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			continue
		}
		for _, a := range back {
			if a.Unmap().WithZone("") == ip.WithZone("") {
				return strings.TrimSuffix(name, ".")
			}
		}
	}
	return ""
}

func (c *client) resolved(name string) {
	c.mu.Lock()
	if name != "" {
		c.name = name + " " + c.addr
	}
	c.final = true
	full, tell := c.name, c.tell
	c.tell = nil
	c.mu.Unlock()
	close(c.known)
	for _, f := range tell {
		f(full)
	}
}

// short is what is known now.
func (c *client) short() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// onName calls f with the full name when that comes to be known later.
func (c *client) onName(f func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.final {
		c.tell = append(c.tell, f)
		return
	}
	f(c.name)
}

// wait returns the full name, or the address alone when finding it takes too
// long.
func (c *client) wait() string {
	if c.known == nil {
		return c.name
	}
	select {
	case <-c.known:
		return c.short()
	default:
	}
	t := time.NewTimer(lookupWait)
	defer t.Stop()
	select {
	case <-c.known:
	case <-t.C:
	}
	return c.short()
}
