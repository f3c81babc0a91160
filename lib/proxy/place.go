package proxy

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// ErrNoServer is the error of a site that names no server for new mailboxes, or
// of which none can take any.
var ErrNoServer = errors.New("no server for a new mailbox")

// Space is what a server has room for, in KiB.
type Space struct{ Available, Total uint64 }

// ParseSpace reads the value of the annotation that backends tell it by:
// "available;total".
func ParseSpace(value string) (Space, bool) {
	a, t, ok := strings.Cut(value, ";")
	if !ok {
		return Space{}, false
	}
	avail, err := strconv.ParseUint(strings.TrimSpace(a), 10, 64)
	total, err2 := strconv.ParseUint(strings.TrimSpace(t), 10, 64)
	if err != nil || err2 != nil || total == 0 || avail > total {
		return Space{}, false
	}
	return Space{avail, total}, true
}

func (s Space) percent() float64 { return 100 * float64(s.Available) / float64(s.Total) }

// Entry is the annotation that holds what the mode goes by; both are
// "available;total" of one partition: that with the most room, or the one with the
// greatest part free.
func (m Mode) Entry() string {
	if m == Most {
		return "/shared/vendor/cmu/cyrus-imapd/freespace/total"
	}
	return "/shared/vendor/cmu/cyrus-imapd/freespace/percent/most"
}

// Chooser picks servers for mailboxes that have no parent. It is shared by all
// sessions of a process.
type Chooser struct {
	opts *Options

	mu     sync.Mutex
	picks  int // since the servers were asked
	spaces map[string]Space
}

// NewChooser returns a chooser among the servers of serverlist.
func NewChooser(o *Options) *Chooser { return &Chooser{opts: o} }

// Pick returns the server for a new mailbox. ask tells the room on a server, with
// the annotation that holds it; a server that it cannot ask is not chosen. Nothing
// is locked while it asks. The error is ErrNoServer.
func (c *Chooser) Pick(ask func(server, entry string) (Space, bool)) (string, error) {
	o := c.opts
	switch {
	case len(o.Servers) == 0:
		return "", ErrNoServer
	case len(o.Servers) == 1:
		return o.Servers[0], nil
	case o.Mode == Random:
		return o.Servers[rand.IntN(len(o.Servers))], nil
	}
	spaces := c.known()
	if spaces == nil {
		spaces = make(map[string]Space, len(o.Servers))
		for _, server := range o.Servers {
			if s, ok := ask(server, o.Mode.Entry()); ok {
				spaces[server] = s
			}
		}
		c.learn(spaces)
	}
	server, ok := o.choose(spaces, rand.Float64())
	if !ok {
		return "", ErrNoServer
	}
	return server, nil
}

// known is what the servers said, while it may be used; nil afterwards.
func (c *Chooser) known() map[string]Space {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spaces == nil || c.picks >= c.opts.Reinit {
		return nil
	}
	c.picks++
	return c.spaces
}

func (c *Chooser) learn(spaces map[string]Space) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spaces, c.picks = spaces, 1
	if len(spaces) == 0 {
		c.spaces = nil
	}
}

// choose picks by the mode; at is a random number below 1. Servers fuller than the
// soft limit are left out, unless all are.
func (o *Options) choose(spaces map[string]Space, at float64) (string, bool) {
	var fit []string
	for _, s := range o.Servers {
		if sp, ok := spaces[s]; ok && (o.SoftLimit <= 0 || 100-sp.percent() <= float64(o.SoftLimit)) {
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		for _, s := range o.Servers {
			if _, ok := spaces[s]; ok {
				fit = append(fit, s)
			}
		}
	}
	if len(fit) == 0 {
		return "", false
	}
	if o.Mode == Weighted || o.Mode == WeightedDelta {
		return o.weighted(fit, spaces, at), true
	}
	best := fit[0]
	for _, s := range fit[1:] {
		if o.Mode == PercentMost && spaces[s].percent() > spaces[best].percent() ||
			o.Mode != PercentMost && spaces[s].Available > spaces[best].Available {
			best = s
		}
	}
	return best, true
}

// weighted gives each server a chance as large as the part of it that is free, or,
// by delta, as far as it is emptier than the fullest.
func (o *Options) weighted(fit []string, spaces map[string]Space, at float64) string {
	least := 0.0
	if o.Mode == WeightedDelta {
		least = 100
		for _, s := range fit {
			least = min(least, spaces[s].percent())
		}
		least -= 0.5 // the fullest has a chance too
	}
	sum := 0.0
	for _, s := range fit {
		sum += spaces[s].percent() - least
	}
	at *= sum
	for _, s := range fit {
		if at -= spaces[s].percent() - least; at < 0 {
			return s
		}
	}
	return fit[len(fit)-1]
}
