package auth

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"
)

// hostTimeout bounds the wait for the name of one of our own addresses.
const hostTimeout = 5 * time.Second

// hostCache remembers the domain of each address of this server. They do not
// change while it runs.
type hostCache struct {
	mu      sync.Mutex
	domains map[string]string
}

// DomainAt returns the domain of the server's address that a client reached:
// the address's name without its first label. It is empty unless virtdomains
// is on, and for an address without a name.
func (r *Rules) DomainAt(ctx context.Context, local net.Addr) string {
	if r.opts.Virtual != VirtualOn || local == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(local.String())
	if err != nil {
		return ""
	}
	r.hosts.mu.Lock()
	domain, ok := r.hosts.domains[host]
	r.hosts.mu.Unlock()
	if ok {
		return domain
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, host)
	if err != nil || len(names) == 0 {
		return "" // asked again next time: a name server may be down
	}
	_, domain, _ = strings.Cut(strings.TrimSuffix(names[0], "."), ".")
	r.hosts.mu.Lock()
	defer r.hosts.mu.Unlock()
	if r.hosts.domains == nil {
		r.hosts.domains = make(map[string]string)
	}
	r.hosts.domains[host] = domain
	return domain
}
