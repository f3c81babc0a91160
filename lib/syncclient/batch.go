package syncclient

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
)

// Run works off what a log named. Users are worked on at the same time; for each, in
// the order of the batch's fields. What fails for a mailbox is tried once more for its
// whole user.
//
// What could not be done is in left, to be put into the log again, and the error the
// first of what failed. With an error that is ErrBroken, nothing is known of what was
// done, and the whole batch is to be run again.
func (c *Client) Run(ctx context.Context, b *synclog.Batch) (left Left, err error) {
	r := &run{c: c, ctx: ctx, gone: make(map[mboxname.Name]bool), promoted: make(map[string]bool)}
	for _, n := range b.Unmailboxes {
		r.gone[n] = true
	}
	r.cohorts(b.Cohorts)
	forAll(r, b.Quotas, r.quota)
	forAll(r, b.Annotations, r.annotation)
	forAll(r, b.Seen, r.seen)
	forAll(r, b.Subs, r.sub)
	forAll(r, b.Unmailboxes, r.unmailbox)
	forAll(r, append(r.metas, b.Metas...), r.meta)
	for _, u := range b.Users {
		r.promoted[u] = true
	}
	r.users(sortedKeys(r.promoted))
	forAll(r, b.Unusers, r.unuser)
	c.cache.flush()
	if s := c.present(); s != nil && r.broken == nil {
		s.restart(ctx, false)
	}
	if r.broken != nil {
		return Left{}, fmt.Errorf("%w: %w", ErrBroken, r.broken)
	}
	return r.left, r.failed
}

// ErrBroken is the error of a batch that was broken off.
var ErrBroken = errors.New("replication was broken off")

// Left is what a batch could not do.
type Left struct {
	Deferred []synclog.Line // because somebody else works on it
	Failed   []synclog.Line
}

// run is one batch being worked off.
type run struct {
	c    *Client
	ctx  context.Context
	gone map[mboxname.Name]bool

	mu       sync.Mutex
	promoted map[string]bool // users to be done whole
	metas    []string
	left     Left
	failed   error // the first of them
	broken   error // the end of it all
}

// forAll does one thing for every item, many at a time.
func forAll[T any](r *run, items []T, do func(T) error) {
	if r.over() || len(items) == 0 {
		return
	}
	if err := each(items, r.c.opt.Users, r.ends, do); err != nil {
		r.broke(err)
	}
}

func (r *run) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken != nil
}

// broke remembers the end of the batch.
func (r *run) broke(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = err
	}
}

// ends says whether an error is the end of the batch, and remembers it.
func (r *run) ends(err error) bool {
	if err == nil || !isLost(err) && !errors.Is(err, ErrConnect) && !errors.Is(err, ErrCompression) && r.ctx.Err() == nil {
		return false
	}
	r.broke(err)
	return true
}

// outcome deals with the error of one item: the end of the batch is returned; a
// locked user has the item deferred; anything else is up to promote, which says
// whether something bigger will be tried, or nil when there is nothing bigger.
func (r *run) outcome(what string, err error, promote func() string, lines ...synclog.Line) error {
	if err == nil {
		return nil
	}
	if r.ends(err) {
		return err
	}
	if errors.Is(err, ErrLocked) || errors.Is(err, csync.ErrLocked) {
		r.c.progress("  Deferred: %s", what)
		r.put(nil, lines...)
		return nil
	}
	if promote != nil {
		if to := promote(); to != "" {
			r.c.progress("  Promoting: %s -> %s", what, to)
			log.Notice("SYNCNOTICE: %s failed: %v; trying %s", what, err, to)
			return nil
		}
	}
	log.Err("SYNCERROR: %s failed: %v", what, err)
	r.put(fmt.Errorf("%s: %w", what, err), lines...)
	return nil
}

// put keeps lines for later: deferred without an error.
func (r *run) put(err error, lines ...synclog.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.left.Deferred = append(r.left.Deferred, lines...)
		return
	}
	r.left.Failed = append(r.left.Failed, lines...)
	if r.failed == nil {
		r.failed = err
	}
}

// whole promotes to a full synchronisation of a user, or "" when there is none.
func (r *run) whole(user string) string {
	if user == "" {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.promoted[user] = true
	return "USER " + user
}

func (r *run) cohorts(list []synclog.Cohort) {
	var tasks []*task
	for _, co := range list {
		t := &task{users: owners(co.Mailboxes)}
		for _, n := range co.Mailboxes {
			t.lines = append(t.lines, synclog.Mailbox(n))
		}
		t.do = func(r *run) error { return r.cohort(co) }
		tasks = append(tasks, t)
	}
	r.forAllOrGoOn(tasks)
}

func (r *run) cohort(co synclog.Cohort) error {
	err := r.c.Mailboxes(r.ctx, co.Mailboxes, r.gone)
	if err == nil {
		return nil
	}
	for _, n := range co.Mailboxes {
		promote := func() string { return r.whole(n.Owner()) }
		if e := r.outcome("MAILBOX "+string(n), err, promote, synclog.Mailbox(n)); e != nil {
			return e
		}
	}
	return nil
}

func (r *run) users(list []string) {
	var tasks []*task
	for _, u := range list {
		tasks = append(tasks, &task{
			users: []string{u},
			lines: []synclog.Line{synclog.User(u)},
			do:    func(r *run) error { return r.user(u) },
		})
	}
	r.forAllOrGoOn(tasks)
}

func (r *run) quota(root string) error {
	owner := mboxname.Name(root).Owner()
	err := r.locked(owner, func(ctx context.Context, s *session) error { return r.c.quota(ctx, s, root) })
	return r.outcome("QUOTA "+root, err, func() string { return r.whole(owner) }, synclog.Quota(mboxname.Name(root)))
}

func (r *run) annotation(n mboxname.Name) error {
	owner := n.Owner()
	err := r.locked(owner, func(ctx context.Context, s *session) error { return r.c.annotations(ctx, s, n) })
	return r.outcome("ANNOTATION "+string(n), err, func() string { return r.whole(owner) }, synclog.Annotation(n))
}

func (r *run) seen(i synclog.SeenItem) error {
	err := r.locked(i.User, func(ctx context.Context, s *session) error { return r.c.seen(ctx, s, i.User, i.UniqueID) })
	return r.outcome("SEEN "+i.User+" "+i.UniqueID, err, func() string { return r.toMeta(i.User) }, synclog.Seen(i.User, i.UniqueID))
}

func (r *run) sub(i synclog.SubItem) error {
	err := r.locked(i.User, func(ctx context.Context, s *session) error { return r.c.sub(ctx, s, i.User, i.Name) })
	return r.outcome("SUB "+i.User+" "+string(i.Name), err, func() string { return r.toMeta(i.User) }, synclog.Sub(i.User, i.Name))
}

func (r *run) toMeta(user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.metas {
		if u == user {
			return "META " + user
		}
	}
	r.metas = append(r.metas, user)
	return "META " + user
}

// unmailbox deletes a mailbox that was deleted here: there must be a trace of it.
func (r *run) unmailbox(n mboxname.Name) error {
	e, err := r.c.site.List.Lookup(n)
	if errors.Is(err, mboxlist.ErrNotFound) {
		return nil
	}
	if err == nil && !e.Deleted() {
		return nil
	}
	if err == nil {
		err = r.locked(n.Owner(), func(ctx context.Context, s *session) error {
			item := r.c.opt.item("UNMAILBOX")
			r.c.progress("%s %s", item, n)
			r.c.cache.forget(n)
			return gone(s.apply(ctx, item, client.Text(string(n))))
		})
	}
	return r.outcome("UNMAILBOX "+string(n), err, nil, synclog.Unmailbox(n))
}

// gone takes it for success that there was nothing to remove.
func gone(err error) error {
	if errors.Is(err, csync.ErrNonexistent) || errors.Is(err, csync.ErrInvalidUser) {
		return nil
	}
	return err
}

func (r *run) meta(user string) error {
	return r.outcome("META "+user, r.c.Meta(r.ctx, user), func() string { return r.whole(user) }, synclog.Meta(user))
}

func (r *run) user(user string) error {
	return r.outcome("USER "+user, r.c.User(r.ctx, user), nil, synclog.User(user))
}

// unuser removes a user who is not here any more.
func (r *run) unuser(user string) error {
	inbox, err := r.c.entry(mboxname.Inbox(user))
	if err == nil && inbox != nil {
		return nil
	}
	if err == nil {
		err = r.locked(user, func(ctx context.Context, s *session) error {
			item := r.c.opt.item("UNUSER")
			r.c.progress("%s %s", item, user)
			return gone(s.apply(ctx, item, client.Text(user)))
		})
	}
	return r.outcome("UNUSER "+user, err, nil, synclog.Unuser(user))
}

// locked runs fn on a session under a user's lock.
func (r *run) locked(user string, fn func(context.Context, *session) error) error {
	release, err := r.c.locks.take(r.ctx, user)
	if err != nil {
		return err
	}
	defer release()
	return r.c.do(r.ctx, fn)
}
