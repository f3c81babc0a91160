package xfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proxy"
	"gocyrus/lib/seen"
	"gocyrus/lib/syncclient"
)

// move is one move.
type move struct {
	*Mover
	Item
	server, partition string
	report            func(step string)
	only              map[mboxname.Name]bool // nil for all

	client  *syncclient.Client
	pusher  *pusher             // of the announcement, connected before anybody has to wait
	readBy  map[string][]string // by unique id of a mailbox: users who have seen of it
	brought map[seenKey]seen.Record
	// seenFiles are the databases of users when they were read last, which was after looked.
	seenFiles map[string]os.FileInfo
	looked    time.Time

	litter error // why something is left at the other server
	failed error // of the master, while it was asked about what the other server has
}

// heldLimit bounds how long the owner waits: beyond, everything goes back.
const heldLimit = 5 * time.Minute

func (v *move) run(ctx context.Context) error {
	log.Info("XFER: connecting to server '%s'", v.server)
	if err := v.open(ctx); err != nil {
		return err
	}
	defer v.client.Close(context.WithoutCancel(ctx))
	log.Info("XFER: %s -> %s!%s", v.Item, v.server, v.partition)
	err := v.passes(ctx)
	if err == nil {
		err = v.hold(ctx)
	}
	if late := (*Unfinished)(nil); err != nil && !errors.As(err, &late) {
		v.litter = v.discard(context.WithoutCancel(ctx))
	}
	return err
}

// open connects to the other server.
func (v *move) open(ctx context.Context) error {
	conn, err := v.dial(ctx, v.opt.Timeout)
	if err != nil {
		return err
	}
	if v.client, err = v.newClient(conn); err != nil {
		conn.Close()
	}
	return err
}

// passes are those while users go on.
func (v *move) passes(ctx context.Context) error {
	for _, step := range []string{"first pass", "second pass"} {
		v.report(step)
		if err := v.pass(ctx); err != nil {
			return v.why(err)
		}
	}
	return v.why(v.findReaders(ctx))
}

// dial makes a session in which mailboxes are replicated.
func (v *move) dial(ctx context.Context, timeout time.Duration) (*csync.Client, error) {
	a, err := v.opt.Proxy.Account(backend.IMAP, v.server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", v.server, proxy.ErrUnavailable, err)
	}
	o := csync.Options{
		Addr: a.Addr, IMAP: true, Cred: a.Cred, Mechs: a.Mechs, TLS: a.TLS, HasCert: len(a.TLS.Certificates) > 0, Bind: a.Bind,
		ConnectTimeout: v.opt.Proxy.Timeout, Timeout: timeout, Tags: &v.tags,
	}
	if a.Wrapped {
		o.Addr += "/tls"
	}
	if a.NoAuth {
		o.Addr += "/noauth"
	}
	ctx, cancel := context.WithTimeout(ctx, loginWaits*v.opt.Proxy.Timeout)
	defer cancel()
	c, err := csync.Dial(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", v.server, proxy.ErrUnavailable, err)
	}
	return c, nil
}

// loginWaits is how many waits connecting and logging in may take together.
const loginWaits = 3

// bytesUnderWay is how much of messages is on its way at once.
const bytesUnderWay = 16 << 20

// newClient makes a client of a session, which it uses first.
func (v *move) newClient(conn *csync.Client) (*syncclient.Client, error) {
	dial := func(ctx context.Context) (*csync.Client, error) {
		if c := conn; c != nil {
			conn = nil
			return c, nil
		}
		return v.dial(ctx, v.opt.Timeout)
	}
	var only func(mboxname.Name) bool
	if v.only != nil {
		only = func(n mboxname.Name) bool { return v.only[n] }
	}
	return syncclient.New(v.site, syncclient.Options{
		Dial:      csync.Options{Addr: v.server},
		Partition: v.partition, LocalOnly: true, ConnectOnce: true, Moving: true, Only: only, Stray: v.stray,
		Users: 1, Bytes: bytesUnderWay,
	}, dial, v.ctx.Done(), nil)
}

// pass brings the other server to the state that is here.
func (v *move) pass(ctx context.Context) error {
	if v.User != "" {
		return v.client.User(ctx, v.User)
	}
	return v.client.Shared(ctx, v.Mailbox)
}

// stray says of a mailbox that the other server alone has whether it is what an earlier
// attempt has left: then the murder does not know it there. What was deleted there
// with delay is no business of ours.
func (v *move) stray(r *csync.Mailbox) bool {
	if r.Name.IsDeleted() || r.Name.Owner() != v.cargo().Owner() || v.User == "" && r.Name != v.Mailbox {
		return false
	}
	state, _, err := v.site.Ops.Elsewhere(v.ctx, r.Name)
	if err != nil {
		v.failed = err
	}
	return err == nil && state == mupdate.Absent
}

// hold does what is done while nobody uses the mailboxes.
func (v *move) hold(ctx context.Context) (err error) {
	if v.pusher, err = v.connect(ctx, v.server); err != nil {
		return err
	}
	defer func() { v.pusher.close() }()
	held, unlock, err := v.site.Mailboxes.LockUser(ctx, v.cargo().Owner())
	if err != nil {
		return err
	}
	defer unlock()
	held, cancel := context.WithTimeout(held, heldLimit)
	defer cancel()
	all, err := v.site.Ops.Depart(held, v.cargo(), v.server)
	if err != nil {
		return err
	}
	if err := v.last(held, all); err != nil {
		log.Info("XFER: recovering: %s: %v", v.Item, err)
		if back := v.site.Ops.Return(context.WithoutCancel(held), v.cargo()); back != nil {
			// The records say so, and whoever finds them tries again.
			log.Err("XFER: could not back out of the move of %s: %v", v.Item, back)
		}
		return err
	}
	v.report("verified")
	if err := v.onward(context.WithoutCancel(held), journey{v.cargo(), v.server, v.partition}, v.pusher, v.report); err != nil {
		return &Unfinished{err}
	}
	return nil
}

// last is the final pass, the comparison and the decision.
func (v *move) last(ctx context.Context, all []*mboxlist.Entry) error {
	v.report("final pass")
	log.Info("XFER: final sync of %s", v.Item)
	if err := v.pass(ctx); err != nil {
		return v.why(err)
	}
	if err := v.seen(ctx, all); err != nil {
		return v.why(err)
	}
	if err := v.compare(ctx, all); err != nil {
		return err
	}
	if err := v.ready(ctx, all[0].Name); err != nil {
		return err
	}
	return v.site.Ops.Decide(ctx, all)
}

// ready says whether it can be announced: the other server listens, and the master has
// the name kept for us.
func (v *move) ready(ctx context.Context, n mboxname.Name) error {
	state, location, err := v.site.Ops.Elsewhere(ctx, n)
	switch {
	case err != nil:
		return err
	case state != mupdate.Absent:
		return fmt.Errorf("%s is at %s: %w", n, location, mboxops.ErrReserved)
	}
	if v.pusher.command("NOOP", func(string) {}) == nil {
		return nil
	}
	p, err := v.connect(ctx, v.server)
	if err != nil {
		return err
	}
	v.pusher.close()
	v.pusher = p
	return nil
}

// compare fails with ErrDiffers unless the other server has all that is here.
func (v *move) compare(ctx context.Context, all []*mboxlist.Entry) error {
	scope := syncclient.Scope{Users: []string{v.User}}
	if v.User == "" {
		scope = syncclient.Scope{Mailboxes: []mboxname.Name{v.Mailbox}}
	}
	found, err := v.client.Compare(ctx, scope)
	if err != nil {
		return v.why(err)
	}
	ours := map[mboxname.Name]bool{}
	for _, e := range all {
		ours[e.Name] = true
	}
	for _, d := range found {
		// What the user has seen of others' mailboxes changes in spite of the lock, and
		// is of these servers each by itself.
		if strings.HasPrefix(d.What, "SEEN ") {
			continue
		}
		// What the other server has of the user besides stays as it is.
		if d.Mailbox == "" || ours[d.Mailbox] {
			return fmt.Errorf("%w: %s", ErrDiffers, d)
		}
	}
	return nil
}

// why gives an error of replication the reason that an administrator looks for.
func (v *move) why(err error) error {
	switch {
	case err == nil:
		return nil
	case v.failed != nil:
		return v.failed
	case errors.Is(err, csync.ErrMoved):
		return fmt.Errorf("%s: %w: %w", v.server, ErrCollision, err)
	case errors.Is(err, syncclient.ErrConnect), errors.Is(err, csync.ErrLost), errors.Is(err, csync.ErrBye):
		return fmt.Errorf("%s: %w: %w", v.server, proxy.ErrUnavailable, err)
	}
	return err
}
