// Package drain empties a backend of a murder: everything that lives on it moves to
// other servers, one after the other or several at once, and what cannot be moved stays.
//
// How one user or mailbox moves is package xfer's; this one knows what there is to move,
// where to, and what to do when that fails.
package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/xfer"
)

// ErrNowhere is the error of a drain for which there is no other server.
var ErrNowhere = errors.New("no other server to move to: serverlist, or -s, names none")

// Mover is what package xfer does.
type Mover interface {
	Items(partition string) ([]xfer.Item, error)
	Move(ctx context.Context, item xfer.Item, server, partition string, report func(step string)) error
}

// Target is a server that takes what moves; Partition is empty for the one of the same
// name there.
type Target struct{ Server, Partition string }

// Options say what moves and where to.
type Options struct {
	Targets   []Target
	Partition string   // what is on this one; "" is everything
	Users     []string // these alone; nil is everybody
	Jobs      int      // how many move at once
	DryRun    bool     // nothing moves

	// Pick chooses one of the servers, of which there is at least one.
	Pick func(ctx context.Context, servers []string) (string, error)
}

// Result is what became of one item.
type Result struct {
	Item   xfer.Item
	Target Target
	Err    error // nil: it is there, or, in a dry run, would go there
}

// Later says whether the item is at the other server, and only the murder has not heard
// of that yet.
func (r *Result) Later() bool { return errors.As(r.Err, new(*xfer.Unfinished)) }

// maxRounds bounds how often it is looked whether something new has come meanwhile.
const maxRounds = 5

// Run moves everything, and tells report of each item, from one goroutine at a time. What
// fails does not keep the rest from moving. It returns how many items stay. The error is
// ErrNowhere, or that of reading the mailbox list.
func Run(ctx context.Context, m Mover, o Options, report func(Result)) (left int, err error) {
	if len(o.Targets) == 0 {
		return 0, ErrNowhere
	}
	d := &drain{m: m, o: o, report: report, tried: map[mboxname.Name]bool{}, away: map[string]bool{}}
	for range maxRounds {
		items, err := d.items()
		if err != nil {
			return d.left, err
		}
		if len(items) == 0 {
			break
		}
		d.all(ctx, items)
		if o.DryRun || o.Users != nil || ctx.Err() != nil {
			break
		}
	}
	return d.left, nil
}

type drain struct {
	m      Mover
	o      Options
	report func(Result)
	tried  map[mboxname.Name]bool

	mu   sync.Mutex
	left int
	away map[string]bool // servers that were not to be had
}

// items are those that have not been tried yet.
func (d *drain) items() ([]xfer.Item, error) {
	all, err := d.m.Items(d.o.Partition)
	if err != nil {
		return nil, err
	}
	users := map[string]bool{}
	for _, u := range d.o.Users {
		users[u] = true
	}
	items := slices.DeleteFunc(all, func(i xfer.Item) bool {
		return d.tried[i.Mailbox] || d.o.Users != nil && (i.User == "" || !users[i.User])
	})
	for _, i := range items {
		d.tried[i.Mailbox] = true
		delete(users, i.User)
	}
	for _, u := range d.o.Users {
		if users[u] {
			delete(users, u)
			d.done(Result{Item: xfer.Item{User: u, Mailbox: mboxname.Inbox(u)}, Err: mboxops.ErrNotFound})
		}
	}
	return items, nil
}

// all moves items.
func (d *drain) all(ctx context.Context, items []xfer.Item) {
	var all sync.WaitGroup
	next := make(chan xfer.Item)
	for range max(d.o.Jobs, 1) {
		all.Go(func() {
			for item := range next {
				d.done(d.one(ctx, item))
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	all.Wait()
}

// done reports a result.
func (d *drain) done(r Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Err != nil && !r.Later() {
		d.left++
	}
	d.report(r)
}

// one moves one item, to another server where the first that was chosen is not to be had.
func (d *drain) one(ctx context.Context, item xfer.Item) (r Result) {
	r.Item = item
	failed := proxy.ErrUnavailable
	for {
		servers := d.servers()
		if len(servers) == 0 {
			r.Err = failed
			return r
		}
		if r.Err = ctx.Err(); r.Err != nil {
			return r
		}
		server, err := d.o.Pick(ctx, servers)
		if err != nil {
			r.Err = err
			return r
		}
		r.Target = d.target(server)
		if d.o.DryRun {
			return r
		}
		r.Err = d.m.Move(ctx, item, server, r.Target.Partition, nil)
		if !errors.Is(r.Err, proxy.ErrUnavailable) || r.Later() || ctx.Err() != nil {
			return r
		}
		failed = r.Err
		d.mu.Lock()
		d.away[server] = true
		d.mu.Unlock()
	}
}

// servers are those that may be had.
func (d *drain) servers() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.o.Targets {
		if !d.away[t.Server] {
			all = append(all, t.Server)
		}
	}
	return all
}

func (d *drain) target(server string) Target {
	for _, t := range d.o.Targets {
		if t.Server == server {
			return t
		}
	}
	return Target{Server: server}
}

func (t Target) String() string {
	if t.Partition == "" {
		return t.Server
	}
	return fmt.Sprintf("%s!%s", t.Server, t.Partition)
}
